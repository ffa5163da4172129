"""The feature table: each row of the spine with all features as they were known at its time."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings, intervals
from lakeloop.config.models import FeatureGroup
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derive import ByKey, BySlice, Derivation, Rows
from lakeloop.features.tiles import KNOWN_DATE
from lakeloop.features.windows import AT, as_of, feature_names, moment
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
            result = with_features(result, time, rows[table], name, group)
        return result

    touched = {spine: f"to_date(`{time}`)"} | {table: _days_after(group) for table, (_, group) in groups.items()}
    identity = BySlice(DATE, touched, frozenset({spine}))
    return Derivation(feature_table(settings), (spine, *groups), compute, identity, fingerprint)


def with_features(rows: DataFrame, time: str, tiles: DataFrame, name: str, group: FeatureGroup) -> DataFrame:
    """``rows`` with the group's features as of ``time``; no row is added or lost."""
    rows = rows.withColumn(AT, moment(time, group))
    moments = rows.select(*group.entity, AT).dropna().distinct()
    features = as_of(moments, tiles, name, group)
    return rows.join(features, [*group.entity, AT], "left").select(
        *[f"`{column}`" for column in rows.columns if column != AT], *feature_names(name, group)
    )


def _days_after(group: FeatureGroup) -> str:
    """The days of the spine on which a tile is inside one of the group's windows."""
    days = max(intervals.seconds(window) for window in group.windows) // 86_400 + 1
    return f"sequence({KNOWN_DATE}, date_add({KNOWN_DATE}, {days}))"
