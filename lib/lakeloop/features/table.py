"""The feature table: each row of the spine with all features as they were known at its time."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings
from lakeloop.config.features import FeatureGroup
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derivation import ByKey, BySlice, Derivation, Rows
from lakeloop.features.tiles import KNOWN_DATE
from lakeloop.features.windows import as_of, reach
from lakeloop.slices import DaysAround, Near, Touched
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
        return as_of(dated, time, [(name, group, rows[table]) for table, (name, group) in groups.items()])

    touched: dict[Table, Touched] = {spine: Near(f"to_date(`{time}`)", f"`{time}`")}
    touched |= {table: _days_after(group) for table, (_, group) in groups.items()}
    all_of_them = frozenset(touched)
    identity = BySlice(DATE, touched, restricted=all_of_them, key=key, used_whole=all_of_them)
    return Derivation(feature_table(settings), (spine, *groups), compute, identity, fingerprint)


def _days_after(group: FeatureGroup) -> DaysAround:
    """The days of the spine on which a tile is inside one of the group's windows or lags."""
    return DaysAround(KNOWN_DATE, after=reach(group) // 86_400 + 1)
