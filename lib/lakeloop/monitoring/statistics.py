"""Statistics of many columns in one pass over the rows: partial results of some rows each, added up per group.

A group is a window, and in it all rows or those of one value of a slicing column. The partial results are small and
can be added: counts, sums, extremes, bin counts, the most frequent texts, the values at evenly spaced ranks (a
quantile's rank is off by a quarter of a percent at most; where a group has few values, quantiles are exact), and the
smallest hashes of the values, from which distinct values are estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from lakeloop.monitoring.bins import Bins

QUANTILES = tuple(i / 20 for i in range(21))
FREQUENT_ITEMS = 100
# Rows that are looked at together: the more, the fewer partial results.
_ROWS = 100_000
_POINTS = 200
# Of this many smallest hashes the estimate of distinct values is off by six percent (one standard deviation):
# Bar-Yossef et al., Counting distinct elements in a data stream, 2002. Fewer values are counted exactly.
_HASHES = 256
_HASH_RANGE = float(1 << 63)
_MOST_TEXTS = 1000

_NUMBERS, _COUNTS, _TEXTS = T.ArrayType(T.DoubleType()), T.ArrayType(T.LongType()), T.ArrayType(T.StringType())
_ITEMS = T.ArrayType(T.StructType().add("item", "string").add("count", "long"))
_GROUP = T.StructType().add("_window", "string").add("slice_key", "string").add("slice_value", "string")
_COMMON = (
    T.StructType()
    .add("column_name", "string")
    .add("count", "long")
    .add("num_nulls", "long")
    .add("num_nan", "long")
    .add("num_zeros", "long")
    .add("min", "double")
    .add("max", "double")
    .add("min_length", "double")
    .add("max_length", "double")
    .add("bin_counts", _COUNTS)
)
_PARTIAL = T.StructType(
    [
        *_GROUP,
        *_COMMON,
        T.StructField("total", T.DoubleType()),
        T.StructField("squares", T.DoubleType()),
        T.StructField("points", _NUMBERS),
        T.StructField("hashes", _COUNTS),
        T.StructField("texts", _TEXTS),
        T.StructField("text_counts", _COUNTS),
    ]
)
_RESULT = T.StructType(
    [
        *_GROUP,
        *_COMMON,
        T.StructField("avg", T.DoubleType()),
        T.StructField("stddev", T.DoubleType()),
        T.StructField("quantiles", _NUMBERS),
        T.StructField("avg_length", T.DoubleType()),
        T.StructField("distinct_count", T.LongType()),
        T.StructField("frequent_items", _ITEMS),
    ]
)


def of_columns(
    rows: DataFrame, numeric: Sequence[str], categorical: Sequence[str], slices: Sequence[str], bins: Mapping[str, Bins]
) -> DataFrame:
    """One row a window, slice and column.

    ``rows`` has a struct `window` (or null), the columns and the slicing columns. The result: `window`, `slice_key`,
    `slice_value` string (null for all rows of the window), `column_name`, `count`, `num_nulls`, `num_nan`, `num_zeros`
    bigint, `avg`, `stddev` (sample), `min`, `max` double, `quantiles` array<double> (at QUANTILES), `avg_length`,
    `min_length`, `max_length` double of texts, `distinct_count` bigint, `frequent_items` array<struct<item,count>>,
    `bin_counts` array<bigint>.
    """
    window = rows.schema["window"].dataType
    numbers = [F.col(f"`{name}`").cast("double").alias(f"n{i}") for i, name in enumerate(numeric)]
    texts = [F.col(f"`{name}`").cast("string").alias(f"t{i}") for i, name in enumerate(categorical)]
    sliced = [F.col(f"`{name}`").cast("string").alias(f"s{i}") for i, name in enumerate(slices)]
    cells = rows.select(F.to_json("window").alias("_window"), *numbers, *texts, *sliced)
    cuts = {name: bins[name].as_dict() for name in (*numeric, *categorical)}
    partial = cells.mapInArrow(_partials(list(numeric), list(categorical), list(slices), cuts), _PARTIAL)
    merged = partial.groupBy(*_GROUP.fieldNames()).applyInPandas(_merge, _RESULT)
    return merged.select(F.from_json("_window", window).alias("window"), *_RESULT.fieldNames()[1:])  # type: ignore[arg-type]  # the window is a struct


def _partials(
    numeric: Sequence[str], categorical: Sequence[str], slices: Sequence[str], cuts: Mapping[str, Mapping[str, Any]]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def partials(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        bins = {name: Bins.from_dict(cut) for name, cut in cuts.items()}
        schema = to_arrow_schema(_PARTIAL)
        for rows in _together(batches):
            numbers = [(name, *_numbers(rows[f"n{i}"])) for i, name in enumerate(numeric)]
            texts = [(name, *pd.factorize(rows[f"t{i}"].to_pandas())) for i, name in enumerate(categorical)]
            found = []
            for group, at in _groups(rows, slices):
                for name, values, nan in numbers:
                    found.append(group | {"column_name": name} | _of_numbers(values[at], nan, at, bins[name]))
                for name, codes, words in texts:
                    found.append(group | {"column_name": name} | _of_texts(codes[at], words, bins[name]))
            yield pa.RecordBatch.from_pylist(found, schema=schema)

    return partials


def _together(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches in tables of some _ROWS rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
        if sum(item.num_rows for item in waiting) >= _ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _groups(rows: pa.Table, slices: Sequence[str]) -> Iterator[tuple[dict[str, str | None], np.ndarray]]:
    """Each group of the rows with the places of its rows."""
    windows, named = pd.factorize(rows["_window"].to_pandas(), use_na_sentinel=False)
    sliced = [(name, *pd.factorize(rows[f"s{i}"].to_pandas(), use_na_sentinel=False)) for i, name in enumerate(slices)]
    for number, window in enumerate(named):
        inside = np.flatnonzero(windows == number)
        yield _group(window, None, None), inside
        for name, codes, values in sliced:
            there = codes[inside]
            for code in np.unique(there):
                yield _group(window, name, values[code]), inside[there == code]


def _group(window: object, key: str | None, value: object) -> dict[str, str | None]:
    named = zip(_GROUP.fieldNames(), (window, key, value), strict=True)
    return {name: item if isinstance(item, str) else None for name, item in named}


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    """The values, null as NaN; and which of them are NaN and not null, where there are any."""
    values = column.to_numpy()
    missing = np.isnan(values)
    if int(missing.sum()) == column.null_count:
        return values, None
    return values, missing & ~column.is_null().to_numpy()


def _of_numbers(values: np.ndarray, nan: np.ndarray | None, at: np.ndarray, bins: Bins) -> dict[str, Any]:
    missing = np.isnan(values)
    # Zero has two signs, and is one value.
    real = np.sort(values[~missing]) + 0.0
    nans = 0 if nan is None else int(nan[at].sum())
    found = {
        "count": len(values),
        "num_nulls": len(values) - len(real) - nans,
        "num_nan": nans,
        "num_zeros": 0,
        "bin_counts": bins.of_numbers(real, len(values) - len(real)),
        "hashes": [],
        "points": [],
    }
    if not len(real):
        return found
    first = np.concatenate(([True], real[1:] != real[:-1]))
    points = real
    if len(real) > _POINTS:
        points = real[((np.arange(_POINTS) + 0.5) * len(real) / _POINTS).astype(np.int64)]
    return found | {
        "num_zeros": int(np.searchsorted(real, 0.0, "right") - np.searchsorted(real, 0.0, "left")),
        "total": float(real.sum()),
        "squares": float((real * real).sum()),
        "min": float(real[0]),
        "max": float(real[-1]),
        "points": points,
        "hashes": _smallest(pd.util.hash_array(real[first])),
    }


def _of_texts(codes: np.ndarray, words: pd.Index, bins: Bins) -> dict[str, Any]:
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    there = np.flatnonzero(counts)
    texts, counts = words.to_numpy(dtype=object)[there], counts[there]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    missing = len(codes) - int(counts.sum())
    # Where texts are many, those that are rare here are left out; what is frequent is so in most parts.
    most = np.argsort(-counts, kind="stable")[:_MOST_TEXTS]
    found = {
        "count": len(codes),
        "num_nulls": missing,
        "bin_counts": bins.of_texts(texts, counts, missing),
        "hashes": [],
        "texts": texts[most],
        "text_counts": counts[most],
    }
    if not len(there):
        return found
    return found | {
        "total": float((lengths * counts).sum()),
        "min_length": float(lengths.min()),
        "max_length": float(lengths.max()),
        "hashes": _smallest(pd.util.hash_array(texts, categorize=False)),
    }


def _smallest(hashes: np.ndarray) -> np.ndarray:
    found = np.unique(hashes >> np.uint64(1)).astype(np.int64)
    return found[:_HASHES]


def _merge(partials: pd.DataFrame) -> pd.DataFrame:
    """A group's partial results, added up: one row a column."""
    records = sorted(partials.to_dict("records"), key=lambda record: record["column_name"])
    found = [_added(list(rows)) for _, rows in groupby(records, key=lambda record: record["column_name"])]
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in found], dtype=object) for name in _RESULT.fieldNames()}
    )


def _added(rows: list[dict[Any, Any]]) -> dict[str, Any]:
    """The partial results of one group and column as its statistics."""
    first = rows[0]
    text = first["points"] is None
    result = {name: first[name] for name in (*_GROUP.fieldNames(), "column_name")}
    result |= {name: int(sum(row[name] for row in rows)) for name in ("count", "num_nulls")}
    result["bin_counts"] = np.sum([row["bin_counts"] for row in rows], axis=0)
    result["distinct_count"] = _distinct([row["hashes"] for row in rows])
    if text:
        result["frequent_items"] = _frequent(rows)
    else:
        result |= {name: int(sum(row[name] for row in rows)) for name in ("num_nan", "num_zeros")}
    there = [row for row in rows if len(row["hashes"])]
    n = result["count"] - result["num_nulls"] - result.get("num_nan", 0)
    if not n:
        return result
    total = sum(row["total"] for row in there)
    if text:
        low, high = min(row["min_length"] for row in there), max(row["max_length"] for row in there)
        return result | {"avg_length": total / n, "min_length": low, "max_length": high}
    low, high = min(row["min"] for row in there), max(row["max"] for row in there)
    spread = max(sum(row["squares"] for row in there) - total * total / n, 0.0)
    return result | {
        "avg": total / n,
        "stddev": float(np.sqrt(spread / (n - 1))) if n > 1 else None,
        "min": low,
        "max": high,
        "quantiles": _quantiles(there, low, high),
    }


def _quantiles(rows: Sequence[Mapping[str, Any]], low: float, high: float) -> np.ndarray:
    """The values at QUANTILES; a point of a part stands for as many values as the part has for each."""
    sizes = [(row["count"] - row["num_nulls"] - row["num_nan"], len(row["points"])) for row in rows]
    points = np.concatenate([row["points"] for row in rows])
    weights = np.concatenate([np.full(size, n / size) for n, size in sizes])
    order = np.argsort(points, kind="stable")
    reached = np.cumsum(weights[order])
    wanted = np.searchsorted(reached, np.asarray(QUANTILES) * reached[-1] - 1e-9, side="left")
    quantiles = points[order][np.minimum(wanted, len(points) - 1)]
    quantiles[0], quantiles[-1] = low, high
    return quantiles


def _distinct(hashes: Sequence[np.ndarray]) -> int:
    """How many values there are: as many as hashes where these are few, else from how close together they are."""
    smallest = np.unique(np.concatenate(hashes))[:_HASHES] if hashes else np.array([])
    if len(smallest) < _HASHES:
        return len(smallest)
    return round((_HASHES - 1) * _HASH_RANGE / float(smallest[-1]))


def _frequent(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent texts, the most frequent first, of two alike that which sorts first."""
    counts: dict[str, int] = {}
    for row in rows:
        for text, count in zip(row["texts"], row["text_counts"], strict=True):
            counts[text] = counts.get(text, 0) + int(count)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT_ITEMS]
    return [{"item": text, "count": count} for text, count in ordered]
