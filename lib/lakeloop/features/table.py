"""The feature table: each row of the spine with all features as they were known at its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings, intervals
from lakeloop.config.models import FeatureGroup
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derive import ByKey, BySlice, Derivation, Rows
from lakeloop.features.tiles import KNOWN_DATE
from lakeloop.features.windows import AT, as_of, feature_columns, moment
from lakeloop.tables import Table

DATE = "feature_date"


def feature_table(settings: Settings) -> Table:
    """features.<spine>: what the model is trained on and scores."""
    return Table("features", Table.parse(settings.pipeline.model.spine).name)


def derivation(settings: Settings) -> Derivation:
    """features.<spine>: the spine's columns, the features of every group (see windows), and `feature_date` date,
    the day of the spine's time, by which it is rebuilt."""
    pipeline = settings.pipeline
    spine = Table.parse(pipeline.model.spine)
    groups = {Table("features", name): (name, group) for name, group in pipeline.features.items()}
    time = spine_time(pipeline)
    key = tuple(spine_key(pipeline))
    fingerprint = settings.fingerprint(str(spine), time, key, *pipeline.features.values())
    if time is None:
        return Derivation(feature_table(settings), (spine,), lambda rows: rows[spine], ByKey(key), fingerprint)

    def compute(rows: Rows) -> DataFrame:
        result = rows[spine].withColumn(DATE, F.to_date(time))
        for table, (name, group) in groups.items():
            result = with_features(result, key, time, rows[table], name, group)
        return result

    touched = {spine: f"to_date(`{time}`)"} | {table: _days_after(group) for table, (_, group) in groups.items()}
    identity = BySlice(DATE, touched, frozenset({spine}))
    return Derivation(feature_table(settings), (spine, *groups), compute, identity, fingerprint)


def with_features(
    rows: DataFrame, key: Sequence[str], time: str, tiles: DataFrame, name: str, group: FeatureGroup
) -> DataFrame:
    """``rows`` with the group's features as of ``time``; no row is added or lost, for ``key`` identifies them."""
    keyed = rows.withColumns({f"_key_{column}": _plain(rows, column) for column in key})
    names = [f"_key_{column}" for column in key]
    moments = keyed.select(*group.entity, moment(time, group).alias(AT), *names)
    features = as_of(moments, tiles, name, group)
    return keyed.join(features, names, "left").select(
        *[f"`{column}`" for column in rows.columns], *_filled(feature_columns(name, group))
    )


def _plain(rows: DataFrame, column: str) -> Column:
    """A key column as pandas holds it without an object for each value: dates and times as numbers."""
    kind = rows.schema[column].dataType.typeName()
    value = F.col(f"`{column}`")
    return F.unix_date(value) if kind == "date" else F.unix_micros(value) if kind == "timestamp" else value


def _filled(columns: Mapping[str, str]) -> list[Column]:
    """A count of nothing is 0, also for a row without an entity."""
    return [
        (F.coalesce(F.col(name), F.lit(0)) if kind == "count" else F.col(name)).alias(name)
        for name, kind in columns.items()
    ]


def _days_after(group: FeatureGroup) -> str:
    """The days of the spine on which a tile is inside one of the group's windows."""
    days = max(intervals.seconds(window) for window in group.windows) // 86_400 + 1
    return f"sequence({KNOWN_DATE}, date_add({KNOWN_DATE}, {days}))"
