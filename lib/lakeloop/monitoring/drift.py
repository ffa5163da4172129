"""Drift: how far each window is from the training set (BASELINE) and from the window before (CONSECUTIVE).

Column names are those of Databricks Lakehouse Monitoring's drift metrics table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.monitoring import distances
from lakeloop.monitoring.bins import Bins
from lakeloop.monitoring.profile import BASELINE, INPUT, TABLE_ROW, WINDOW

CONSECUTIVE = "CONSECUTIVE"
_TEST = T.StructType().add("statistic", "double").add("pvalue", "double")
_LISTS = T.StructType().add("added", T.ArrayType(T.StringType())).add("missing", T.ArrayType(T.StringType()))

_KEYS: list[tuple[str, str | T.DataType]] = [
    ("window", WINDOW),
    ("window_cmp", WINDOW),
    ("drift_type", "string"),
    ("granularity", "string"),
    ("slice_key", "string"),
    ("slice_value", "string"),
    ("model_id", "string"),
    ("column_name", "string"),
    ("data_type", "string"),
    ("count_delta", "double"),
    ("avg_delta", "double"),
    ("percent_null_delta", "double"),
    ("percent_zeros_delta", "double"),
    ("percent_distinct_delta", "double"),
    ("non_null_columns_delta", _LISTS),
    ("rows", "long"),
]
_METRICS: list[tuple[str, str | T.DataType]] = [
    ("js_distance", "double"),
    ("ks_test", _TEST),
    ("wasserstein_distance", "double"),
    ("population_stability_index", "double"),
    ("chi_squared_test", _TEST),
    ("tv_distance", "double"),
    ("l_infinity_distance", "double"),
]


def _struct(fields: list[tuple[str, str | T.DataType]]) -> T.StructType:
    struct = T.StructType()
    for name, kind in fields:
        struct = struct.add(name, kind)
    return struct


KEYS, METRICS = _struct(_KEYS), _struct(_METRICS)

SCHEMA = T.StructType([*KEYS.fields, *METRICS.fields])


def drift(profiles: DataFrame, bins: Mapping[str, Bins], minimum_rows: int) -> DataFrame:
    """One row a window, slice, column and kind of comparison; columns: SCHEMA.

    `rows` bigint is the smaller number of rows of the two sides: below ``minimum_rows``, or with nothing to compare
    with, the distances are null, which means unknown and never 'no drift'.
    """
    cells = _compared(profiles).select(
        *[F.col(field.name).cast(field.dataType).alias(field.name) for field in KEYS], "_now", "_ref"
    )
    return cells.mapInPandas(_measure({name: item.as_dict() for name, item in bins.items()}, minimum_rows), SCHEMA)


def _compared(profiles: DataFrame) -> DataFrame:
    """Each window's profile rows beside those that they are compared with: the baseline's (null where it has none, so
    unknown), and those of the window before where there is one. Two exchanges, no join."""
    whole = F.col("column_name") == TABLE_ROW
    there = F.when((F.col("num_nulls") < F.col("count")) & ~whole, F.col("column_name"))
    together = Window.partitionBy("window", "slice_key", "slice_value")
    rows = profiles.withColumn("_columns", F.when(whole, F.sort_array(F.collect_list(there).over(together))))
    series = Window.partitionBy("slice_key", "slice_value", "column_name")
    this = F.struct("window", *_DELTAS, "bin_counts", "_columns")
    baseline = F.first(F.when(F.col("log_type") == BASELINE, this), ignorenulls=True).over(series)
    before = F.lag(this).over(series.orderBy(F.col("log_type") == INPUT, "window.start"))
    rows = rows.withColumns({"_baseline": baseline, "_before": before}).filter(F.col("log_type") == INPUT)
    kinds = [
        F.struct(F.lit(BASELINE).alias("kind"), F.col("_baseline").alias("ref")),
        # The row before is the baseline's, or of an older window, where the series begins or has a gap.
        F.when(
            F.col("_before.window.end") == F.col("window.start"),
            F.struct(F.lit(CONSECUTIVE).alias("kind"), F.col("_before").alias("ref")),
        ),
    ]
    pairs = rows.withColumn("_pair", F.explode(F.array_compact(F.array(*kinds)))).withColumn("_to", F.col("_pair.ref"))
    delta = F.struct(
        F.array_except("_columns", "_to._columns").alias("added"),
        F.array_except("_to._columns", "_columns").alias("missing"),
    )
    return pairs.select(
        "window",
        F.col("_to.window").alias("window_cmp"),
        F.col("_pair.kind").alias("drift_type"),
        *[F.col(name) for name in ("granularity", "slice_key", "slice_value", "model_id", "column_name", "data_type")],
        *[(F.col(name) - F.col(f"_to.{name}")).cast("double").alias(f"{name}_delta") for name in _DELTAS],
        F.least("count", F.coalesce("_to.count", F.lit(0))).alias("rows"),
        F.when(whole, delta).alias("non_null_columns_delta"),
        F.col("bin_counts").alias("_now"),
        F.col("_to.bin_counts").alias("_ref"),
    )


_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")


def _measure(bins: Mapping[str, Mapping[str, Any]], minimum_rows: int) -> Any:
    """A function for mapInPandas over pairs of bin counts; there is one pair a window, slice and column."""

    def measure(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        cuts = {name: Bins.from_dict(item) for name, item in bins.items()}
        for batch in batches:
            found = [
                compare(now, ref, cuts.get(name)) if rows >= minimum_rows else dict.fromkeys(METRICS.fieldNames())
                for name, rows, now, ref in zip(
                    batch["column_name"], batch["rows"], batch["_now"], batch["_ref"], strict=True
                )
            ]
            metrics = pd.DataFrame(found, columns=METRICS.fieldNames(), index=batch.index)
            yield pd.concat([batch[KEYS.fieldNames()], metrics], axis=1)

    return measure


def compare(now: Any, ref: Any, bins: Bins | None) -> dict[str, Any]:
    """The metrics of one column, from its bin counts on both sides; all None where there is nothing to compare."""
    nothing: dict[str, Any] = dict.fromkeys(METRICS.fieldNames())
    if bins is None or now is None or ref is None:
        return nothing
    p, q = np.asarray(now, dtype=np.float64), np.asarray(ref, dtype=np.float64)
    if len(p) != len(q) or not p.sum() or not q.sum():
        return nothing
    found = {
        "js_distance": distances.js_distance(p, q),
        "population_stability_index": distances.population_stability_index(p, q),
        "tv_distance": distances.tv_distance(p, q),
        "l_infinity_distance": distances.l_infinity_distance(p, q),
    }
    if bins.edges is None:
        test = distances.chi_squared_test(p, q)
        return {**nothing, **found, "chi_squared_test": {"statistic": test.statistic, "pvalue": test.pvalue}}
    # A column that goes null is a shift too, but nulls have no place on the number line.
    p_real, q_real = p[:-1], q[:-1]
    if p_real.sum() and q_real.sum():
        test = distances.ks_test(p_real, q_real)
        found["ks_test"] = {"statistic": test.statistic, "pvalue": test.pvalue}  # type: ignore[assignment]
        found["wasserstein_distance"] = distances.wasserstein_distance(p_real, q_real, _points(bins.edges))
    return {**nothing, **found}


def _points(edges: tuple[float, ...]) -> np.ndarray:
    """Where a bin's rows are taken to be: its middle; under and over: the reference's smallest and greatest."""
    ends = np.asarray(edges, dtype=np.float64)
    if len(ends) == 0:
        return np.zeros(1)
    return np.concatenate([[ends[0]], (ends[:-1] + ends[1:]) / 2, [ends[-1]]])
