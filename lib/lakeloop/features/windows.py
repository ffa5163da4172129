"""Windows: what the tiles of an entity add up to over the time before a moment.

Sums and counts come from running totals: the value of the window (t − w, t] is the total at t less the total at
t − w, so that one sort serves every window and no row is looked at twice. Minimum and maximum cannot be taken back
and use a sliding frame over the tiles.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakeloop.config import intervals, sql
from lakeloop.config.models import FeatureGroup
from lakeloop.features.tiles import KNOWN_AT, PARTIALS

AT = "_at"
ADDABLE = ("sum", "count", "squares")


def feature_names(name: str, group: FeatureGroup) -> list[str]:
    """The columns that the group adds: ``<group>_<measure>_<window>``."""
    return [
        feature_name(name, measure, window) for window in _lengths(group) for measure in group.measures
    ]


def feature_name(name: str, measure: str, window: int) -> str:
    return f"{name}_{measure}_{intervals.short(window)}"


def moment(time: str, group: FeatureGroup) -> Column:
    """The last end of a tile, in seconds since 1970, that had passed at ``time``."""
    step = intervals.seconds(group.resolution)
    return F.expr(f"cast(floor(unix_micros(cast(`{time}` as timestamp)) / {step}000000L) as bigint) * {step}L")


def as_of(moments: DataFrame, tiles: DataFrame, name: str, group: FeatureGroup) -> DataFrame:
    """The group's features at some moments.

    ``moments`` has the entity's columns and `_at` bigint (seconds, see `moment`), each pair once; so has the result,
    and a column a measure and window: double, null where the window holds no value; counts are bigint, then 0.
    """
    lengths = _lengths(group)
    partials = _partials(group)
    events = tiles.select(
        *group.entity,
        F.unix_timestamp(KNOWN_AT).alias(AT),
        *partials,
        F.lit(None).cast("bigint").alias("_moment"),
        F.lit(None).cast("bigint").alias("_back"),
    )
    probes = moments.select(
        *group.entity,
        F.col(AT).alias("_moment"),
        F.explode(F.array(*[F.lit(back).cast("bigint") for back in (0, *lengths)])).alias("_back"),
    ).withColumn(AT, F.col("_moment") - F.col("_back"))
    rows = events.unionByName(probes, allowMissingColumns=True)
    entity = Window.partitionBy(*group.entity).orderBy(AT)
    running = entity.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    values: list[Column] = []
    for column in partials:
        if column.rsplit("__", 1)[1] in ADDABLE:
            values.append(F.coalesce(F.sum(column).over(running), F.lit(0)).alias(column))
        else:
            smallest = F.min if column.endswith("__min") else F.max
            values += [
                smallest(column).over(entity.rangeBetween(1 - length, 0)).alias(f"{column}_{length}")
                for length in lengths
            ]
    totals = rows.select(*group.entity, "_moment", "_back", *values).filter("_moment IS NOT NULL")
    columns = [column for column in totals.columns if column not in (*group.entity, "_moment", "_back")]
    aggregates = []
    for back in (0, *lengths):
        aggregates += [
            F.max(F.when(F.col("_back") == back, F.col(column))).alias(f"{column}@{back}")
            for column in columns
            if column in partials or back == 0
        ]
    wide = totals.groupBy(*group.entity, F.col("_moment").alias(AT)).agg(*aggregates)
    features = [
        _feature(measure, text, length).alias(feature_name(name, measure, length))
        for length in lengths
        for measure, text in group.measures.items()
    ]
    return wide.select(*group.entity, AT, *features)


def _feature(name: str, text: str, length: int) -> Column:
    """A measure over a window, from the running totals now (`@0`) and at the window's start (`@<length>`)."""
    function = sql.measure(text).function

    def within(kind: str) -> Column:
        return F.col(f"`{name}__{kind}@0`") - F.col(f"`{name}__{kind}@{length}`")

    if function in ("min", "max"):
        return F.col(f"`{name}__{function}_{length}@0`")
    count = within("count")
    if function == "count":
        return count
    if function == "sum":
        return F.when(count > 0, within("sum"))
    if function == "avg":
        return F.when(count > 0, within("sum") / count)
    spread = (within("squares") - within("sum") * within("sum") / count) / (count - 1)
    return F.when(count > 1, F.sqrt(F.greatest(spread, F.lit(0.0))))


def _partials(group: FeatureGroup) -> list[str]:
    return [
        f"{name}__{kind}" for name, text in group.measures.items() for kind in PARTIALS[sql.measure(text).function]
    ]


def _lengths(group: FeatureGroup) -> Sequence[int]:
    return [intervals.seconds(window) for window in group.windows]
