"""Scoring: predictions of the champion for the rows that it has not scored yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config import Settings
from lakeloop.config.model import Model
from lakeloop.config.references import spine_key, spine_time
from lakeloop.derivation import ByKey, Derivation
from lakeloop.features.table import feature_table
from lakeloop.modelling import forecast
from lakeloop.modelling.dataset import Columns, model_columns
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion, Tracking

NAME, VERSION, RUN, AT = "model_name", "model_version", "model_run_id", "scored_at"
FORECAST_FOR = "forecast_for"


def prediction_table(settings: Settings) -> Table:
    """predictions.<spine>"""
    return Table("predictions", Table.parse(settings.pipeline.model.spine).name)


def derivation(settings: Settings, tracking: Tracking, champion: ModelVersion, now: datetime) -> Derivation:
    """predictions.<spine>: the spine's key and time, `prediction`, `probability` double (classes), `model_name`,
    `model_version`, `model_run_id` string, `scored_at` timestamp, and of a forecast `forecast_for` timestamp, the
    moment that it is about; keyed by the spine's key and the model version, so
    that predictions of earlier models stay."""
    features = feature_table(settings)
    key = spine_key(settings.pipeline)
    return Derivation(
        prediction_table(settings),
        (features,),
        lambda rows: predictions(rows[features], settings, tracking, champion, now),
        ByKey((*key, VERSION), keeps=True, source_key=tuple(key)),
        settings.fingerprint(champion.name, champion.version),
    )


def predictions(
    features: DataFrame, settings: Settings, tracking: Tracking, champion: ModelVersion, now: datetime
) -> DataFrame:
    """The champion's predictions for rows of the feature table, see `derivation`."""
    pipeline = settings.pipeline
    columns = model_columns(features, pipeline)
    time = spine_time(pipeline)
    carried = list(dict.fromkeys([*spine_key(pipeline), *([time] if time else [])]))
    inputs = features.select(
        *[F.col(f"`{name}`").alias(f"_carried_{name}") for name in carried],
        *[F.col(f"`{name}`").cast("double").alias(name) for name in columns.numeric],
        *[F.col(f"`{name}`") for name in columns.categorical],
    )
    schema = T.StructType([field for field in inputs.schema if field.name.startswith("_carried_")])
    for field in prediction_fields(pipeline.model):
        schema = schema.add(field)
    score = _scorer(champion.uri, tracking.uri, tracking.registry_uri, columns, schema.fieldNames())
    scored = inputs.mapInPandas(score, schema)
    return scored.select(
        *[F.col(f"_carried_{name}").alias(name) for name in carried],
        *[field.name for field in prediction_fields(pipeline.model)],
        F.lit(champion.name).alias(NAME),
        F.lit(champion.version).alias(VERSION),
        F.lit(champion.run_id).alias(RUN),
        F.lit(now).cast("timestamp").alias(AT),
        *_forecast_for(pipeline.model, time),
    )


def _forecast_for(model: Model, time: str | None) -> list[Column]:
    if model.task != "forecast" or time is None:
        return []
    ahead = F.expr(f"INTERVAL {forecast.horizon(model)} SECONDS")
    return [(F.col(f"_carried_{time}").cast("timestamp") + ahead).alias(FORECAST_FOR)]


def prediction_fields(model: Model) -> list[T.StructField]:
    """The columns that a model of this task gives."""
    if model.kind == "regression":
        return [T.StructField("prediction", T.DoubleType())]
    kind = T.BooleanType() if model.task == "binary" else T.StringType()
    return [T.StructField("prediction", kind), T.StructField("probability", T.DoubleType())]


def _scorer(uri: str, tracking_uri: str, registry_uri: str, columns: Columns, names: list[str]) -> Any:
    """A function for mapInPandas; it carries texts, and each worker loads the model once."""
    wanted = columns.all

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = _load(uri, tracking_uri, registry_uri)
        for batch in batches:
            if batch.empty:
                continue
            found = model.predict(batch[wanted])
            yield pd.concat([batch.reset_index(drop=True), found.reset_index(drop=True)], axis=1)[names]

    return score


@lru_cache(maxsize=2)
def _load(uri: str, tracking_uri: str, registry_uri: str) -> Any:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(registry_uri)
    return mlflow.pyfunc.load_model(uri)
