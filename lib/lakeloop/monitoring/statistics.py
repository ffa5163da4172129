"""Statistics of many columns in one pass: partial results of each batch of rows, added up per group.

The partial results are small and can be added: counts, sums, extremes, bin counts, and for the quantiles the batch's
values at evenly spaced ranks. A batch is at most ten thousand rows, so a quantile's rank is off by half a percent at
most; where a group has fewer values than points, quantiles are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.monitoring.bins import Bins

QUANTILES = tuple(i / 20 for i in range(21))
_POINTS = 200

_NUMBERS, _COUNTS = T.ArrayType(T.DoubleType()), T.ArrayType(T.LongType())
_PARTIAL = (
    T.StructType()
    .add("column_name", "string")
    .add("count", "long")
    .add("num_missing", "long")
    .add("num_zeros", "long")
    .add("total", "double")
    .add("squares", "double")
    .add("min", "double")
    .add("max", "double")
    .add("length_total", "double")
    .add("min_length", "double")
    .add("max_length", "double")
    .add("points", _NUMBERS)
    .add("weights", _NUMBERS)
    .add("bin_counts", _COUNTS)
)
_RESULT = (
    T.StructType()
    .add("column_name", "string")
    .add("count", "long")
    .add("num_missing", "long")
    .add("num_zeros", "long")
    .add("avg", "double")
    .add("stddev", "double")
    .add("min", "double")
    .add("max", "double")
    .add("quantiles", _NUMBERS)
    .add("avg_length", "double")
    .add("min_length", "double")
    .add("max_length", "double")
    .add("bin_counts", _COUNTS)
)


def of_columns(rows: DataFrame, group: Sequence[str], numeric: Sequence[str], bins: Mapping[str, Bins]) -> DataFrame:
    """One row a group and column of ``rows`` (all columns but the group's): the group's columns, `column_name`,
    `count`, `num_missing` (null or NaN), `num_zeros` bigint, `avg`, `stddev` (sample), `min`, `max` double, `quantiles`
    array<double> (at QUANTILES), `avg_length`, `min_length`, `max_length` double of texts, `bin_counts` array<bigint>.
    """
    key = T.StructField("_group", T.StringType())
    names = [name for name in rows.columns if name not in group]
    groups = [rows.schema[name] for name in group]
    # One text stands for the group, so that nulls and structs in it need no care in pandas.
    tagged = rows.withColumn("_group", F.to_json(F.struct(*group), {"ignoreNullFields": "false"}))
    cuts = {name: bins[name].as_dict() for name in names}
    partial = tagged.select("_group", *[f"`{name}`" for name in names]).mapInPandas(
        _partials(names, frozenset(numeric), cuts), T.StructType([key, *_PARTIAL.fields])
    )
    merged = partial.groupBy("_group").applyInPandas(_merge, T.StructType([key, *_RESULT.fields]))
    parsed = F.from_json("_group", T.StructType(groups)).alias("_parsed")
    return merged.select(parsed, *_RESULT.fieldNames()).select("_parsed.*", *_RESULT.fieldNames())


def _partials(
    names: Sequence[str], numeric: frozenset[str], cuts: Mapping[str, Mapping[str, Any]]
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def partials(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        bins = {name: Bins.from_dict(cut) for name, cut in cuts.items()}
        for batch in batches:
            found = []
            for key, rows in batch.groupby("_group", sort=True):
                for name in names:
                    summary = _of_numbers(rows[name]) if name in numeric else _of_texts(rows[name])
                    summary |= {"_group": key, "column_name": name, "count": len(rows)}
                    found.append(summary | {"bin_counts": bins[name].counts(rows[name])})
            if found:
                yield _frame(found, _PARTIAL)

    return partials


def _of_numbers(column: pd.Series) -> dict[str, Any]:
    """A batch's numbers; pandas has null and NaN alike."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    real = np.sort(values[~np.isnan(values)])
    nothing = len(real) == 0
    if len(real) > _POINTS:
        ranks = ((np.arange(_POINTS) + 0.5) * len(real) / _POINTS).astype(np.int64)
        points, weights = real[ranks], np.full(_POINTS, len(real) / _POINTS)
    else:
        points, weights = real, np.ones(len(real))
    return {
        "num_missing": len(values) - len(real),
        "num_zeros": int((real == 0).sum()),
        "total": float(real.sum()),
        "squares": float((real * real).sum()),
        "min": None if nothing else real[0],
        "max": None if nothing else real[-1],
        "points": points,
        "weights": weights,
    }


def _of_texts(column: pd.Series) -> dict[str, Any]:
    lengths = column.dropna().str.len()
    there = len(lengths) > 0
    return {
        "num_missing": len(column) - len(lengths),
        "num_zeros": None,
        "length_total": float(lengths.sum()),
        "min_length": float(lengths.min()) if there else None,
        "max_length": float(lengths.max()) if there else None,
    }


def _merge(partials: pd.DataFrame) -> pd.DataFrame:
    """A group's partial results, added up: one row a column."""
    found = []
    for name, rows in partials.groupby("column_name", sort=True):
        count, missing = int(rows["count"].sum()), int(rows["num_missing"].sum())
        result: dict[str, Any] = {
            "_group": str(rows["_group"].iloc[0]),
            "column_name": name,
            "count": count,
            "num_missing": missing,
            "bin_counts": np.sum(np.stack(rows["bin_counts"].to_list()), axis=0),
        }
        n = count - missing
        if rows["points"].notna().any():
            result["num_zeros"] = int(rows["num_zeros"].sum())
            if n:
                result |= _of_group(rows, n)
        elif n:
            result |= {
                "avg_length": rows["length_total"].sum() / n,
                "min_length": rows["min_length"].min(),
                "max_length": rows["max_length"].max(),
            }
        found.append(result)
    return _frame(found, _RESULT)


def _frame(found: Sequence[Mapping[str, Any]], schema: T.StructType) -> pd.DataFrame:
    """Rows with the fields of a schema; what a row does not have is None, also among numbers and lists."""
    names = ["_group", *schema.fieldNames()]
    return pd.DataFrame({name: pd.Series([row.get(name) for row in found], dtype=object) for name in names})


def _of_group(rows: pd.DataFrame, n: int) -> dict[str, Any]:
    mean = rows["total"].sum() / n
    spread = max(rows["squares"].sum() - n * mean * mean, 0.0)
    points = np.concatenate(rows["points"].to_list())
    weights = np.concatenate(rows["weights"].to_list())
    order = np.argsort(points, kind="stable")
    reached = np.cumsum(weights[order])
    wanted = np.searchsorted(reached, np.asarray(QUANTILES) * reached[-1] - 1e-9, side="left")
    quantiles = points[order][np.minimum(wanted, len(points) - 1)]
    low, high = rows["min"].min(), rows["max"].max()
    quantiles[0], quantiles[-1] = low, high
    return {
        "avg": mean,
        "stddev": np.sqrt(spread / (n - 1)) if n > 1 else None,
        "min": low,
        "max": high,
        "quantiles": quantiles,
    }
