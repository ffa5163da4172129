"""Windows: the features of a group for each row of the spine, as they were known at the row's time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from lakeloop.config import intervals, sql
from lakeloop.config.features import FeatureGroup
from lakeloop.features import parcels
from lakeloop.features.asof import Feature
from lakeloop.features.parcels import AT, BUCKET, ENTITY, GROUP, HIGH, LOW, MICROS, PARCEL, PARTIAL, Group
from lakeloop.features.tiles import KNOWN_AT, PARTIALS

if TYPE_CHECKING:
    import pyarrow as pa

# An entity's time is cut into spans, so that one that has most of the events is not one task's alone. A tile is
# copied into the spans that its windows reach: in spans of four windows, one tile in four.
_WINDOWS_A_SPAN = 4
_SHORTEST_SPAN = 30 * 86_400
# A group's owners are spread over as many buckets as Spark makes partitions, but for a laptop's two.
_FEWEST_BUCKETS = 16


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

    What a row's features depend on, its entities and its time, stands for it on the way as two hashes of 64 bits:
    rows that have the same ones have the same features.
    """
    if not groups:
        return rows
    known = [_known(number, name, group) for number, (name, group, _) in enumerate(groups)]
    buckets = max(_FEWEST_BUCKETS, _partitions(rows))
    entities = list(dict.fromkeys(column for group in known for column in group.entity))
    identity = [_identity(name, time, entities) for name in (HIGH, LOW)]
    asking = rows.selectExpr(*identity, f"{_micros(time)} AS {MICROS}", *map(_entity, entities))

    def ask(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from parcels.ask(batches, known, buckets)

    def answer(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from parcels.answer(batches, known, buckets)

    def gather(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from parcels.gather(batches, known)

    offered = [_offered(tiles, group, one, buckets) for (_, group, tiles), one in zip(groups, known, strict=True)]
    met = reduce(DataFrame.unionAll, [asking.mapInArrow(ask, PARCEL), *offered]).repartition(GROUP, BUCKET)
    features = [feature for group in known for feature in group.features]
    schema = T.StructType([
        T.StructField(HIGH, T.LongType()), T.StructField(LOW, T.LongType()), *map(_field, features)
    ])  # fmt: skip
    answers = met.mapInArrow(answer, PARCEL).repartition(BUCKET).mapInArrow(gather, schema)
    return (
        rows.selectExpr("*", *identity)
        .join(answers, [HIGH, LOW], "left")
        .selectExpr(*[f"`{column}`" for column in rows.columns], *map(_value, features))
    )


def _known(number: int, name: str, group: FeatureGroup) -> Group:
    """What the workers are told of a group."""
    span = max(_WINDOWS_A_SPAN * reach(group), _SHORTEST_SPAN)
    features = tuple(feature_columns(name, group))
    return Group(number, tuple(group.entity), features, intervals.seconds(group.resolution), span)


def _partitions(rows: DataFrame) -> int:
    """How many partitions Spark makes; on Databricks that may be left to it ("auto")."""
    wanted = rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or ""
    return int(wanted) if wanted.isdigit() else 200


def _identity(name: str, time: str, entities: Sequence[str]) -> str:
    """SQL for a hash of a row's time and entities, another for each ``name``. Spark's hash passes over a null, so it is
    told of each."""
    given = [_micros(time), *[f"cast(`{column}` as string)" for column in entities]]
    told = ", ".join(f"{text}, {text} IS NULL" for text in given)
    return f"xxhash64('{name}', {told}) AS {name}"


def _micros(time: str) -> str:
    return f"unix_micros(cast(`{time}` as timestamp))"


def _entity(column: str) -> str:
    return f"cast(`{column}` as string) AS `{ENTITY}{column}`"


def _offered(tiles: DataFrame, group: FeatureGroup, known: Group, buckets: int) -> DataFrame:
    """A group's tiles in parcels."""
    partials = [f"cast(`{column}` as double) AS `{PARTIAL}{column}`" for column in _partials(group)]

    def offer(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from parcels.offer(batches, known, buckets)

    columns = [f"unix_timestamp({KNOWN_AT}) AS {AT}", *map(_entity, group.entity), *partials]
    return tiles.selectExpr(*columns).mapInArrow(offer, PARCEL)


def _field(feature: Feature) -> T.StructField:
    return T.StructField(feature.column, T.LongType() if feature.function == "count" else T.DoubleType())


def _value(feature: Feature) -> str:
    """SQL for a feature; a row that asked nothing has no answer, and a count of nothing is 0."""
    value = f"`{feature.column}`"
    return f"coalesce({value}, 0L) AS {value}" if feature.function == "count" else value


def _partials(group: FeatureGroup) -> list[str]:
    return [f"{name}__{kind}" for name, text in group.measures.items() for kind in PARTIALS[sql.measure(text).function]]
