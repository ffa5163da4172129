"""The labelled rows of the feature table, split into training, validation and test, and handed to one process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config import Pipeline, intervals, sql
from lakeloop.config.model import Model, Split
from lakeloop.config.references import spine_key, spine_time
from lakeloop.errors import DataError
from lakeloop.features.table import DATE
from lakeloop.modelling import forecast
from lakeloop.modelling.predictor import prepared

LABEL, PART, DRAW, ORDER, NAIVE_VALUE = "_label", "_part", "_draw", "_order", "_naive"
TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True)
class Columns:
    """What the model sees, by how it is treated."""

    numeric: list[str]
    categorical: list[str]

    @property
    def all(self) -> list[str]:
        return self.numeric + self.categorical


@dataclass(frozen=True)
class Parts:
    """The rows of one part, as pandas: ``inputs`` float64 and object columns, ``truth`` class codes or numbers;
    ``naive`` what a naive forecast says (NaN: nothing), where there is one."""

    inputs: pd.DataFrame
    truth: np.ndarray
    naive: np.ndarray | None = None


@dataclass(frozen=True)
class Boundaries:
    """Where a split by time cuts: rows before ``validation`` train, rows from ``test`` on test."""

    validation: str
    test: str


def model_columns(features: DataFrame, pipeline: Pipeline) -> Columns:
    """The columns of the feature table that the model may see.

    Left out: the key and the groups of the split (but for `include`), times and dates, what the label is made of, the
    column that the split goes by, columns whose names begin with an underscore (where a row came from), and `exclude`.
    A forecast sees its entity, and what the label is made of where that
    is known at once: at a row's own time it is the past.
    """
    model = pipeline.model
    hidden = {name.lower() for name in (*spine_key(pipeline), *model.split.group)}
    hidden -= {name.lower() for name in (*model.include, *model.entity)}
    if model.task != "forecast" or intervals.seconds(model.label.known_after) > 0:
        hidden |= sql.columns_of(model.label.expression)
    hidden |= {name.lower() for name in (*model.exclude, model.split.column or "")} | {DATE}
    numeric, categorical = [], []
    for field in features.schema:
        if field.name.lower() in hidden or field.name.startswith("_"):
            continue
        if isinstance(field.dataType, (T.NumericType, T.BooleanType)):
            numeric.append(field.name)
        elif isinstance(field.dataType, T.StringType):
            categorical.append(field.name)
    if not numeric and not categorical:
        raise DataError(
            f"model: {model.spine} has no column that the model may see: the key, times, exclude and what the label "
            "is made of are hidden from it. Add columns or features, or make it a forecast: that sees the past."
        )
    return Columns(numeric, categorical)


def labelled(features: DataFrame, pipeline: Pipeline) -> DataFrame:
    """The feature table with `_label`: boolean for binary, string for multiclass, double for regression and forecast;
    null where the outcome is not known. A forecast's label is the value of a later row of ``features``."""
    model = pipeline.model
    label = F.expr(model.label.expression)
    if model.task == "forecast":
        return _shifted(features, LABEL, pipeline, forecast.horizon(model))
    if model.task == "regression":
        return features.withColumn(LABEL, label.cast("double"))
    if model.task == "multiclass":
        return features.withColumn(LABEL, label.cast("string"))
    if model.positive is not None:
        return features.withColumn(LABEL, F.trim(label.cast("string")) == F.lit(model.positive))
    return features.withColumn(LABEL, label.cast("boolean"))


def with_naive(rows: DataFrame, pipeline: Pipeline) -> DataFrame:
    """Rows of the feature table, all of them, with `_naive` double where the task is a forecast: what a naive forecast
    says of the outcome, null where it has nothing to go by."""
    if pipeline.model.task != "forecast":
        return rows
    return _shifted(rows, NAIVE_VALUE, pipeline, forecast.naive_shift(pipeline.model))


def _shifted(rows: DataFrame, name: str, pipeline: Pipeline, seconds: int) -> DataFrame:
    """``rows`` with the label's value so many seconds later, see forecast.shifted."""
    value, time = F.expr(pipeline.model.label.expression).cast("double"), spine_time(pipeline)
    assert time is not None
    return forecast.shifted(rows, name, value, pipeline.model.entity, time, seconds)


def split(rows: DataFrame, pipeline: Pipeline) -> tuple[DataFrame, Boundaries]:
    """Labelled rows with `_part` (train, validation or test), and where the cuts are.

    By time, a row whose outcome is known only when the next part has begun is in no part: who learns at that moment
    does not know it yet; nor is a row without a time. By column, a row of which the column says something else is in
    none.
    """
    model = pipeline.model
    known = rows.filter(F.col(LABEL).isNotNull())
    if model.split.by in ("random", "group"):
        test, validation = _share(model, "test"), _share(model, "validation")
        draw = _draw(pipeline)
        part = F.when(draw < test, TEST).when(draw < test + validation, VALIDATION).otherwise(TRAIN)
        return known.withColumn(PART, part), Boundaries(str(validation), str(test))
    if model.split.by == "column":
        return _by_column(known, pipeline)
    time = spine_time(pipeline)
    assert time is not None
    newest = known.agg(F.max(F.col(time).cast("timestamp").cast("double")).alias("at")).collect()[0]["at"]
    if newest is None:
        raise DataError(f"model.label: no row of {model.spine} has an outcome yet, so there is nothing to learn from.")
    end = datetime.fromtimestamp(newest, timezone.utc)
    test_from = _cut("test", model.split.test, end)
    validation_from = _cut("validation", model.split.validation, test_from)
    at = F.col(time).cast("timestamp")
    learnt = at + F.expr(f"INTERVAL {forecast.horizon(model) + intervals.seconds(model.label.known_after)} SECONDS")
    part = F.when(at >= F.lit(test_from), TEST)
    part = part.when(
        learnt < F.lit(test_from),
        F.when(at >= F.lit(validation_from), VALIDATION).when(learnt < F.lit(validation_from), TRAIN),
    )
    parts = known.withColumn(PART, part).filter(F.col(PART).isNotNull())
    return parts, Boundaries(validation_from.isoformat(), test_from.isoformat())


def _draw(pipeline: Pipeline) -> Column:
    """A number in [0, 1) for each row, a seeded hash of its key; where the split is by group, one for each group. A row
    of no group stands for itself."""
    model, key = pipeline.model, spine_key(pipeline)

    def draw(columns: Sequence[str]) -> Column:
        return F.pmod(F.xxhash64(F.lit(model.seed), *columns), F.lit(1_000_000)) / 1_000_000

    if model.split.by != "group":
        return draw(key)
    return F.when(
        F.coalesce(*[F.col(name).cast("string") for name in model.split.group]).isNull(), draw(key)
    ).otherwise(draw(model.split.group))


def _by_column(known: DataFrame, pipeline: Pipeline) -> tuple[DataFrame, Boundaries]:
    """The split that a column says; with a share for validation, that share of its train rows."""
    model = pipeline.model
    says = F.lower(F.trim(F.col(f"`{model.split.column}`").cast("string")))
    part = F.when(says.isin(TRAIN, VALIDATION, TEST), says)
    validation = "as the column says"
    # The default is a length of time, which says nothing here.
    if model.split.validation != Split().validation:
        share = _share(model, "validation")
        part = F.when((says == TRAIN) & (_draw(pipeline) < share), VALIDATION).otherwise(part)
        validation = str(share)
    return known.withColumn(PART, part).filter(F.col(PART).isNotNull()), Boundaries(validation, "as the column says")


def _share(model: Model, name: str) -> float:
    text = getattr(model.split, name)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        default = {"test": 0.2, "validation": 0.2}
        return default[name] if text in ("30 days", "90 days") else _bad_cut(name, text, "a share such as 0.2")
    return share


def _cut(name: str, text: str, end: datetime) -> datetime:
    """The moment where a part begins: a length before ``end``, or a date."""
    if re.match(r"^\d{4}-\d{2}-\d{2}", text):
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    try:
        return end - timedelta(seconds=intervals.seconds(text))
    except ValueError:
        return _bad_cut(name, text, "a length such as '30 days', or a date")


def _bad_cut(name: str, text: str, expected: str) -> Any:
    raise DataError(f"model.split.{name}: found {text!r}, expected {expected}.")


def counts(parts: DataFrame) -> dict[str, int]:
    """Rows of each part; DataError where one is empty, for then nothing can be learnt or judged."""
    found = {row[PART]: row["count"] for row in parts.groupBy(PART).count().collect()}
    if not found:
        raise DataError(
            "model.label: no row to learn from has an outcome. Look at the rows in the quarantine tables with their "
            "`_failed_rules`, and at model.label.expression."
        )
    for part in (TRAIN, VALIDATION, TEST):
        if not found.get(part):
            raise DataError(
                f"model.split: no row falls into the {part} part ({found}). Set model.split.validation and "
                "model.split.test so that each part gets rows."
            )
    return found


def sample(rows: DataFrame, key: Sequence[str], most: int, there: int, seed: int) -> DataFrame:
    """All rows, or about ``most`` of them, chosen by a hash of the key: the same ones on every run."""
    if there <= most:
        return rows
    draw = F.pmod(F.xxhash64(F.lit(seed), *key), F.lit(1_000_000_000))
    return rows.filter(draw < int(1_000_000_000 * most / there))


def classes(rows: DataFrame, model: Model) -> list[Any] | None:
    """The label's classes in the order of their codes; None for regression."""
    if model.kind == "regression":
        return None
    if model.task == "binary":
        return [False, True]
    return [row[LABEL] for row in rows.select(LABEL).distinct().orderBy(LABEL).collect()]


def to_pandas(rows: DataFrame, columns: Columns, key: Sequence[str], seed: int) -> pd.DataFrame:
    """The rows in this process: the model's columns as float64 and object, `_label`, `_part`, `_naive` where ``rows``
    has it, and `_draw` float64 in [0, 1), a hash of the key; ordered by another, so that fitting sees them alike on
    every run."""
    numbers = [F.col(f"`{name}`").cast("double").alias(name) for name in columns.numeric]
    texts = [F.col(f"`{name}`") for name in columns.categorical]
    draw = (F.pmod(F.xxhash64(F.lit(seed), *key), F.lit(1_000_000_000)) / 1_000_000_000).alias(DRAW)
    kept = [LABEL, PART, *([NAIVE_VALUE] if NAIVE_VALUE in rows.columns else [])]
    # To sort here is ten times quicker than in Spark, whose sort looks at all rows twice and moves them.
    order = F.xxhash64(*key).alias(ORDER)
    frame = rows.select(*numbers, *texts, *kept, draw, order).toPandas()
    frame = frame.sort_values([ORDER, DRAW], kind="stable", ignore_index=True)
    inputs = prepared(frame, columns.numeric, columns.categorical)
    return inputs.assign(**{name: frame[name] for name in (*kept, DRAW)})


def part(frame: pd.DataFrame, names: Sequence[str], most: int, columns: Columns, codes: list[Any] | None) -> Parts:
    """Some parts of what `to_pandas` gave: all their rows, or the ``most`` with the smallest draw."""
    rows = frame[frame[PART].isin(names)]
    if len(rows) > most:
        rows = rows[rows[DRAW].rank(method="first") <= most]
    if codes is None:
        naive = rows[NAIVE_VALUE].to_numpy(dtype=np.float64) if NAIVE_VALUE in rows else None
        return Parts(rows[columns.all], rows[LABEL].to_numpy(dtype=np.float64), naive)
    lookup = {value: code for code, value in enumerate(codes)}
    return Parts(rows[columns.all], rows[LABEL].map(lookup).to_numpy(dtype=np.int64))
