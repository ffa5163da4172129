"""Windows: the features of a group for each row of the spine, as they were known at the row's time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config import intervals, sql
from lakeloop.config.features import FeatureGroup
from lakeloop.features import asof
from lakeloop.features.asof import AT, IS_TILE, OWNER, PACKED, PARTIAL, Feature
from lakeloop.features.tiles import KNOWN_AT, PARTIALS

if TYPE_CHECKING:
    import pyarrow as pa

# An entity's time is cut into spans, so that one that has most of the events is not one task's alone. A tile is
# copied into the spans that its windows reach: in spans of four windows, one tile in four.
_WINDOWS_A_SPAN = 4
_SHORTEST_SPAN = 30 * 86_400


def feature_columns(name: str, group: FeatureGroup) -> list[Feature]:
    """The columns that the group adds: ``<group>_<measure>_<window>`` and ``<group>_<measure>_lag_<lag>``."""
    known_after, step = intervals.seconds(group.known_after), intervals.seconds(group.resolution)
    places = [(intervals.short(length), length, 0) for length in map(intervals.seconds, group.windows)]
    # A tile holds what became known in its step, so a lag is one tile, `known_after` nearer.
    places += [(f"lag_{intervals.short(lag)}", step, lag - known_after) for lag in map(intervals.seconds, group.lags)]
    return [
        Feature(f"{name}_{measure}_{suffix}", sql.measure(text).function, measure, length, offset)
        for suffix, length, offset in places
        for measure, text in group.measures.items()
    ]


def reach(group: FeatureGroup) -> int:
    """How far back the group's features look, in seconds."""
    return max(feature.reach for feature in feature_columns("", group))


def as_of(rows: DataFrame, time: str, groups: Sequence[tuple[str, FeatureGroup, DataFrame]]) -> DataFrame:
    """``rows`` with the features of each group (its name, its configuration, its tiles) as of ``time``.

    ``rows`` has the groups' entity columns. No row is added or lost, their order is another. Features are double, null
    where the window holds no value; counts are bigint, then 0, also for a row whose entity or time is null.
    """
    columns = rows.schema.fields
    rows = rows.withColumn(PACKED, F.lit(b""))
    features: list[Feature] = []
    for name, group, tiles in groups:
        rows = _with_group(rows, time, tiles, name, group)
        features += feature_columns(name, group)
    schema = T.StructType([*columns, *[_field(feature) for feature in features]])

    def unpack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from asof.unpack(batches, features)

    return rows.mapInArrow(unpack, schema)


def _with_group(rows: DataFrame, time: str, tiles: DataFrame, name: str, group: FeatureGroup) -> DataFrame:
    """``rows`` with a group's features added to PACKED."""
    features = feature_columns(name, group)
    span = max(_WINDOWS_A_SPAN * reach(group), _SHORTEST_SPAN)
    at = _moment(time, group)
    moments = rows.select(
        *[F.col(f"`{column}`") for column in rows.columns],
        _owner(group, F.floor(at / span)).alias(OWNER),
        at.alias(AT),
        F.lit(False).alias(IS_TILE),
    )
    known = F.unix_timestamp(KNOWN_AT)
    last = F.floor((known + reach(group) - 1) / span)
    spread = tiles.withColumn("_span", F.explode(F.sequence(F.floor(known / span), last)))
    partials = [F.col(column).cast("double").alias(PARTIAL + column) for column in _partials(group)]
    events = spread.select(
        *partials, _owner(group, F.col("_span")).alias(OWNER), known.alias(AT), F.lit(True).alias(IS_TILE)
    )
    both = moments.unionByName(events, allowMissingColumns=True)
    # Rows of nobody are spread by what they are.
    nobody = F.xxhash64(*[f"`{column}`" for column in rows.columns if column != PACKED])
    placed = both.repartition(F.when(F.col(OWNER).isNotNull(), F.xxhash64(OWNER)).otherwise(nobody))

    def compute(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from asof.add(batches, features)

    return placed.mapInArrow(compute, rows.schema)


def _moment(time: str, group: FeatureGroup) -> Column:
    """The last end of a tile, in seconds since 1970, that had passed at ``time``."""
    step = intervals.seconds(group.resolution)
    return F.expr(f"cast(floor(unix_micros(cast(`{time}` as timestamp)) / {step}000000L) as bigint) * {step}L")


def _owner(group: FeatureGroup, span: Column) -> Column:
    """The entity and the span of its time, as a text; null where a part of it is null."""
    parts = [F.col(f"`{column}`").cast("string") for column in group.entity]
    separated = [part for value in parts for part in (value, F.lit("\x1f"))]
    return F.concat(*separated, span.cast("string"))


def _field(feature: Feature) -> T.StructField:
    return T.StructField(feature.column, T.LongType() if feature.function == "count" else T.DoubleType())


def _partials(group: FeatureGroup) -> list[str]:
    return [f"{name}__{kind}" for name, text in group.measures.items() for kind in PARTIALS[sql.measure(text).function]]
