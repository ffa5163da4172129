"""Profiles: what each column of the scored rows looks like in each window, and how good the predictions were.

Column names are those of Databricks Lakehouse Monitoring's profile metrics table, so that what reads that reads this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.monitoring import statistics
from lakeloop.monitoring.bins import Bins

TABLE_ROW = ":table"
INPUT, BASELINE = "INPUT", "BASELINE"
GROUP = ("window", "slice_key", "slice_value")
SCORE_BINS = 1000

WINDOW = T.StructType().add("start", "timestamp").add("end", "timestamp")
_D, _L = "double", "long"
_FIELDS: list[tuple[str, str | T.DataType]] = [
    ("window", WINDOW),
    ("log_type", "string"),
    ("granularity", "string"),
    ("slice_key", "string"),
    ("slice_value", "string"),
    ("model_id", "string"),
    ("column_name", "string"),
    ("data_type", "string"),
    ("count", _L),
    ("num_nulls", _L),
    ("avg", _D),
    ("quantiles", T.ArrayType(T.DoubleType())),
    ("min", _D),
    ("max", _D),
    ("stddev", _D),
    ("num_zeros", _L),
    ("num_nan", _L),
    ("min_length", _D),
    ("max_length", _D),
    ("avg_length", _D),
    ("frequent_items", T.ArrayType(T.StructType().add("item", "string").add("count", "long"))),
    ("median", _D),
    ("distinct_count", _L),
    ("percent_nan", _D),
    ("percent_null", _D),
    ("percent_zeros", _D),
    ("percent_distinct", _D),
    ("accuracy_score", _D),
    ("log_loss", _D),
    ("roc_auc_score", _D),
    ("mean_squared_error", _D),
    ("root_mean_squared_error", _D),
    ("mean_average_error", _D),
    ("r2_score", _D),
    ("label_count", _L),
    ("bin_counts", T.ArrayType(T.LongType())),
]
SCHEMA = T.StructType()
for _name, _type in _FIELDS:
    SCHEMA = SCHEMA.add(_name, _type)


@dataclass(frozen=True)
class Plan:
    """What is profiled: ``numeric`` and ``categorical`` columns with their ``bins``, windows over ``time`` (none: all
    rows are one window), slices by column, and the model whose rows they are."""

    numeric: Sequence[str]
    categorical: Sequence[str]
    bins: Mapping[str, Bins]
    time: str | None
    granularity: str
    slices: Sequence[str]
    log_type: str
    model_id: str
    task: str


def window(time: str, granularity: str) -> Column:
    """The window of a moment: struct<start, end>; granularity is '1 day', '1 week' or '1 month'."""
    unit = granularity.split()[1]
    start = F.date_trunc(unit, F.col(f"`{time}`").cast("timestamp"))
    return F.struct(start.alias("start"), (start + F.expr(f"INTERVAL 1 {unit}")).alias("end"))


def profile(rows: DataFrame, plan: Plan) -> DataFrame:
    """One row a window, slice and column, and one (`:table`) for the rows as a whole; columns: SCHEMA.

    ``rows`` has the plan's columns and, where predictions are to be judged, `prediction`, `probability`, `_label`.
    """
    rows = rows.withColumn("window", window(plan.time, plan.granularity) if plan.time else F.lit(None).cast(WINDOW))
    if plan.time:
        rows = rows.filter(F.col(f"`{plan.time}`").isNotNull())
    cells = statistics.of_columns(rows, plan.numeric, plan.categorical, plan.slices, plan.bins)
    return _finished(cells.unionByName(_table_rows(_sliced(rows, plan), plan), allowMissingColumns=True), plan)


def _beside(left: DataFrame, right: DataFrame, keys: Sequence[str]) -> DataFrame:
    """A left join on keys of which some may be null, each standing once in the result."""
    renamed = right.withColumnsRenamed({key: f"_right_{key}" for key in keys})
    condition = F.lit(True)
    for key in keys:
        condition = condition & F.col(key).eqNullSafe(F.col(f"_right_{key}"))
    return left.join(renamed, condition, "left").drop(*[f"_right_{key}" for key in keys])


def _sliced(rows: DataFrame, plan: Plan) -> DataFrame:
    """Each row once for the whole and once for each slicing column."""
    nothing = F.lit(None).cast("string")
    slices = [F.struct(nothing.alias("key"), nothing.alias("value"))]
    slices += [
        F.struct(F.lit(name).alias("key"), F.col(f"`{name}`").cast("string").alias("value")) for name in plan.slices
    ]
    return rows.select("*", F.explode(F.array(*slices)).alias("_slice")).select(
        "*", F.col("_slice.key").alias("slice_key"), F.col("_slice.value").alias("slice_value")
    )


def _table_rows(rows: DataFrame, plan: Plan) -> DataFrame:
    """The `:table` rows: how many rows, and how good the predictions whose outcome is known were."""
    aggregates = [F.count(F.lit(1)).alias("count")]
    known = F.col("_label").isNotNull() & F.col("prediction").isNotNull() if "_label" in rows.columns else None
    if known is not None:
        aggregates.append(F.sum(known.cast("bigint")).alias("label_count"))
        aggregates += _quality(plan.task, known)
    result = rows.groupBy(*GROUP).agg(*aggregates)
    if known is not None and plan.task == "binary":
        result = _beside(result, _roc_auc(rows.filter(known)), GROUP)
    if plan.task == "regression" and known is not None:
        result = result.withColumn("root_mean_squared_error", F.sqrt("mean_squared_error"))
    return result.withColumn("column_name", F.lit(TABLE_ROW))


def _quality(task: str, known: Column) -> list[Column]:
    label, prediction = F.when(known, F.col("_label")), F.col("prediction")
    if task == "regression":
        squared = (label - prediction) * (label - prediction)
        return [
            F.avg(squared).alias("mean_squared_error"),
            F.avg(F.abs(label - prediction)).alias("mean_average_error"),
            (1 - F.avg(squared) / F.nullif(F.var_pop(label), F.lit(0.0))).alias("r2_score"),
        ]
    right = F.when(known, (F.col("_label") == prediction).cast("double"))
    if task == "multiclass":
        return [F.avg(right).alias("accuracy_score")]
    likely = F.greatest(F.least(F.col("probability"), F.lit(1 - 1e-15)), F.lit(1e-15))
    surprise = -F.when(label, F.log(likely)).when(~label, F.log(1 - likely))
    return [F.avg(right).alias("accuracy_score"), F.avg(surprise).alias("log_loss")]


def _roc_auc(rows: DataFrame) -> DataFrame:
    """`roc_auc_score`, from counts in a thousand steps of probability: exact to about one in a thousand."""
    step = F.floor(F.col("probability") * SCORE_BINS).alias("step")
    positive = F.sum(F.col("_label").cast("bigint")).alias("p")
    counted = rows.groupBy(*GROUP, step).agg(positive, F.sum((~F.col("_label")).cast("bigint")).alias("n"))
    keys = ", ".join(GROUP)
    below = (
        f"coalesce(sum(n) OVER (PARTITION BY {keys} ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)"
    )
    pairs = counted.selectExpr("*", f"p * ({below} + n / 2) AS pairs")
    total = F.nullif(F.sum("p") * F.sum("n"), F.lit(0))
    return pairs.groupBy(*GROUP).agg((F.sum("pairs") / total).alias("roc_auc_score"))


def _finished(rows: DataFrame, plan: Plan) -> DataFrame:
    """The contract's columns, in its order and types."""
    kinds = {**{name: "double" for name in plan.numeric}, **{name: "string" for name in plan.categorical}}
    kind = F.create_map(*[F.lit(part) for item in kinds.items() for part in item])
    count = F.nullif(F.col("count"), F.lit(0))
    numeric = F.col("data_type") == "double"
    rows = rows.withColumns(
        {
            "log_type": F.lit(plan.log_type),
            "granularity": F.lit(plan.granularity),
            "model_id": F.lit(plan.model_id),
            "data_type": F.when(F.col("column_name") != TABLE_ROW, F.element_at(kind, F.col("column_name"))),
        }
    )
    rows = rows.withColumns(
        {
            "median": F.get("quantiles", F.lit(len(statistics.QUANTILES) // 2)),
            "percent_null": F.col("num_nulls") / count * 100,
            "percent_nan": F.when(numeric, F.coalesce("num_nan", F.lit(0)) / count * 100),
            "percent_zeros": F.when(numeric, F.coalesce("num_zeros", F.lit(0)) / count * 100),
            "percent_distinct": F.col("distinct_count") / count * 100,
        }
    )
    there = set(rows.columns)
    return rows.select(
        *[
            (F.col(field.name) if field.name in there else F.lit(None)).cast(field.dataType).alias(field.name)
            for field in SCHEMA
        ]
    )
