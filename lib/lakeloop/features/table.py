"""The feature table: each row of the spine with all features as they were known at its time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings
from lakeloop.config.features import FeatureGroup
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derivation import ByKey, BySlice, DaysAfter, Derivation, Rows
from lakeloop.features.tiles import KNOWN_DATE
from lakeloop.features.windows import as_of, feature_columns, reach
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
        dated = rows[spine].withColumn(DATE, F.to_date(time))
        return with_features(dated, key, time, [(name, group, rows[table]) for table, (name, group) in groups.items()])

    touched: dict[Table, str | DaysAfter] = {spine: f"to_date(`{time}`)"}
    touched |= {table: _days_after(group) for table, (_, group) in groups.items()}
    identity = BySlice(DATE, touched, frozenset(touched))
    return Derivation(feature_table(settings), (spine, *groups), compute, identity, fingerprint)


def with_features(
    rows: DataFrame, key: Sequence[str], time: str, groups: Sequence[tuple[str, FeatureGroup, DataFrame]]
) -> DataFrame:
    """``rows`` with the features of each group (its name, its configuration, its tiles) as of ``time``.

    No row is added or lost, for ``key`` identifies them: what the features need of a row travels, and is joined back.
    """
    if not groups:
        return rows
    needed = dict.fromkeys([*key, time, *[column for _, group, _ in groups for column in group.entity]])
    features = as_of(rows.select(*[f"`{column}`" for column in needed]), time, groups)
    added = [feature.column for name, group, _ in groups for feature in feature_columns(name, group)]
    features = features.select(*[F.col(f"`{column}`").alias(f"_key_{column}") for column in key], *added)
    same = reduce(and_, [F.col(f"`{column}`").eqNullSafe(F.col(f"`_key_{column}`")) for column in key])
    return rows.join(features, same, "left").select(*[f"`{column}`" for column in rows.columns], *added)


def _days_after(group: FeatureGroup) -> DaysAfter:
    """The days of the spine on which a tile is inside one of the group's windows or lags."""
    return DaysAfter(KNOWN_DATE, reach(group) // 86_400 + 1)
