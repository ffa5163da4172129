"""The monitor's tables: profile metrics, drift metrics and what counts as drift, each a derivation like any other."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings
from lakeloop.config.monitoring import Thresholds
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derivation import BySlice, Derivation, Rows
from lakeloop.features.table import feature_table
from lakeloop.modelling import forecast
from lakeloop.modelling.dataset import LABEL, labelled
from lakeloop.modelling.train import BASELINE_FILE
from lakeloop.monitoring.drift import drift
from lakeloop.monitoring.profile import BASELINE, INPUT, TABLE_ROW, Plan, profile
from lakeloop.monitoring.reference import Reference
from lakeloop.scoring import AT, VERSION, prediction_table
from lakeloop.slices import ALL, Near
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion, Tracking

SLICE = "window.start"
# A window has at most so many days.
_LONGEST = {"day": 1, "week": 7, "month": 31}


def table(settings: Settings, what: str) -> Table:
    """monitoring.<spine>_<what>; what: profile_metrics, drift_metrics or drift_status."""
    return Table("monitoring", f"{Table.parse(settings.pipeline.model.spine).name}_{what}")


def load_reference(tracking: Tracking, champion: ModelVersion) -> Reference:
    """The reference that was logged with the champion's run."""
    import mlflow

    path = mlflow.artifacts.download_artifacts(
        run_id=champion.run_id, artifact_path=BASELINE_FILE, tracking_uri=tracking.uri
    )
    return Reference.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


def derivations(settings: Settings, champion: ModelVersion, reference: Reference) -> list[Derivation]:
    """The three tables, in order; their rows are known by their window, and a new champion makes them anew."""
    return [
        profile_derivation(settings, champion, reference),
        drift_derivation(settings, champion, reference),
        status_derivation(settings),
    ]


def profile_derivation(settings: Settings, champion: ModelVersion, reference: Reference) -> Derivation:
    """monitoring.<spine>_profile_metrics: see profile.SCHEMA; the BASELINE rows have no window."""
    pipeline = settings.pipeline
    features, predictions = feature_table(settings), prediction_table(settings)
    time = spine_time(pipeline)
    monitoring = pipeline.monitoring
    plan = Plan(
        list(reference.numeric),
        list(reference.categorical),
        reference.bins,
        time or AT,
        monitoring.window,
        monitoring.slices,
        INPUT,
        champion.version,
        pipeline.model.kind,
    )

    def compute(rows: Rows) -> DataFrame:
        scored = rows[predictions].filter(F.col(VERSION) == champion.version)
        scored = scored.drop(*([time] if time and time not in spine_key(pipeline) else []))
        joined = labelled(rows[features], pipeline).join(scored, spine_key(pipeline), "inner")
        baseline = reference.frame(joined.sparkSession, champion.version)
        return profile(joined.withColumnRenamed(LABEL, "_label"), plan).unionByName(baseline)

    touched: dict[Table, str | Near] = {features: ALL, predictions: ALL}
    if time:
        ahead = forecast.horizon(pipeline.model) or 0
        touched = {features: windows(time, monitoring.window, ahead), predictions: windows(time, monitoring.window)}
    restricted = frozenset(touched if time else ())
    fingerprint = settings.fingerprint(champion.version, monitoring, time, pipeline.model.label, pipeline.model.horizon)
    return Derivation(
        table(settings, "profile_metrics"),
        (features, predictions),
        compute,
        BySlice(SLICE, touched, restricted),
        fingerprint,
    )


def windows(time: str, window: str, ahead: int = 0) -> Near:
    """The windows, by their starts, that a row touches by its ``time``: its own, and where it is also the outcome of
    the row ``ahead`` seconds before it, that one's."""
    unit, moment = window.split()[1], f"cast(`{time}` as timestamp)"
    own = f"date_trunc('{unit}', {moment})"
    if not ahead:
        return Near(own, moment, after=_LONGEST[unit])
    before = f"date_trunc('{unit}', {moment} - INTERVAL {ahead} SECONDS)"
    return Near(f"array({own}, {before})", moment, after=_LONGEST[unit] + ahead // 86_400 + 1)


def drift_derivation(settings: Settings, champion: ModelVersion, reference: Reference) -> Derivation:
    """monitoring.<spine>_drift_metrics: see drift.SCHEMA. A window touches itself and the one after it."""
    profiles = table(settings, "profile_metrics")
    minimum = settings.pipeline.monitoring.minimum_rows
    return Derivation(
        table(settings, "drift_metrics"),
        (profiles,),
        lambda rows: drift(rows[profiles], reference.bins, minimum),
        BySlice(SLICE, {profiles: "array(window.start, window.end)"}),
        settings.fingerprint(champion.version, minimum),
    )


def status_derivation(settings: Settings) -> Derivation:
    """monitoring.<spine>_drift_status: see `status`."""
    metrics = table(settings, "drift_metrics")
    thresholds = settings.pipeline.monitoring.drift
    return Derivation(
        table(settings, "drift_status"),
        (metrics,),
        lambda rows: status(rows[metrics], thresholds),
        BySlice(SLICE, {metrics: SLICE}, frozenset({metrics})),
        settings.fingerprint(thresholds),
    )


def status(drifts: DataFrame, thresholds: Thresholds) -> DataFrame:
    """One row a window, slice, column and threshold that is set, against the training set: `window`, `slice_key`,
    `slice_value`, `model_id`, `column_name`, `metric`, `value` double, `threshold` double, `status` string: drift, ok,
    or unknown where the metric could not be computed."""
    asked = {
        "population_stability_index": (
            F.col("population_stability_index"),
            thresholds.population_stability_index,
        ),
        "js_distance": (F.col("js_distance"), thresholds.js_distance),
        "ks_test.statistic": (F.col("ks_test.statistic"), thresholds.ks_statistic),
        "tv_distance": (F.col("tv_distance"), thresholds.tv_distance),
    }
    cells = [_cell(name, value, bound) for name, (value, bound) in asked.items() if bound is not None]
    rows = drifts.filter((F.col("drift_type") == BASELINE) & (F.col("column_name") != TABLE_ROW))
    cell = F.explode(F.array(*cells)) if cells else F.explode(F.array().cast(_CELL))
    rows = rows.select("window", "slice_key", "slice_value", "model_id", "column_name", "data_type", cell.alias("cell"))
    # The Kolmogorov-Smirnov test is for numbers alone; of a text it is not unknown, there is none.
    rows = rows.filter("NOT (data_type = 'string' AND cell.metric = 'ks_test.statistic')").drop("data_type")
    verdict = F.when(F.col("cell.value").isNull(), "unknown").when(
        F.col("cell.value") >= F.col("cell.threshold"), "drift"
    )
    return rows.select(
        "window",
        "slice_key",
        "slice_value",
        "model_id",
        "column_name",
        "cell.metric",
        "cell.value",
        "cell.threshold",
        verdict.otherwise("ok").alias("status"),
    )


_CELL = "array<struct<metric:string,value:double,threshold:double>>"


def _cell(name: str, value: Column, bound: float) -> Column:
    return F.struct(F.lit(name).alias("metric"), value.alias("value"), F.lit(float(bound)).alias("threshold"))
