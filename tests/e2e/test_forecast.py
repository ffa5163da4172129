"""A forecast from raw file to judged predictions, and what later days change of it."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone

import pytest
from conftest import MakeUseCase, UseCase

from lakeloop.derive import Outcome
from lakeloop.modelling.train import Trained
from lakeloop.pipeline import Run, new_run_id
from lakeloop.report import Reporter
from lakeloop.stages import STAGES
from lakeloop.tables import Table

# They take minutes; what a forecast is made of has tests of its own: spark/test_forecast.py, spark/test_lags.py.
pytestmark = pytest.mark.soak

PIPELINE = """
pipeline: sales
sources:
  sales: {path: sales/*.csv, key: [day, store], columns: {day: timestamp, store: string, sold: double}}
gold:
  daily:
    sql: "SELECT day, store, sold, dayofweek(day) AS weekday FROM silver.sales"
    key: [day, store]
    time: day
    increment_by: day
model:
  task: forecast
  spine: gold.daily
  entity: store
  label: sold
  horizon: 7 days
  season: 7 days
  algorithms: [ridge]
  split: {validation: 28 days, test: 56 days}
  search: {max_evals: 1}
monitoring: {window: 1 week, minimum_rows: 5}
"""
MONDAY = date(2024, 1, 1)
LAST, BEFORE = MONDAY + timedelta(days=273), MONDAY + timedelta(days=266)


def land(case: UseCase, first: int, last: int) -> None:
    """The sales of two stores on some days: a trend, and noise that a mean is better at than last week's value."""
    lines = ["day,store,sold"]
    for number in range(first, last):
        for place, store in enumerate("ab"):
            noise = 20 * math.sin(number * number * 1.7 + place)
            lines.append(f"{MONDAY + timedelta(days=number)},{store},{100 + number / 10 + 50 * place + noise:.2f}")
    case.land(f"sales/{first:03d}.csv", "\n".join(lines) + "\n")


def stages(case: UseCase, *names: str) -> list[Outcome | Trained]:
    """What became of the tables, and the model."""
    now = datetime.now(timezone.utc)
    run = Run(case.spark, case.settings, new_run_id(now), now, Reporter(quiet=True))
    return [result for name in names for result in run.stage(name)]


def judged(case: UseCase) -> dict[date, int]:
    """How many outcomes are known of each week's predictions."""
    rows = case.lakehouse.read(Table("monitoring", "daily_profile_metrics"))
    rows = rows.filter("log_type = 'INPUT' AND column_name = ':table'")
    return {row["day"]: row["label_count"] for row in rows.selectExpr("to_date(window.start) AS day", "*").collect()}


def first_run(case: UseCase) -> Trained:
    land(case, 0, 280)
    [model] = [result for result in stages(case, *STAGES) if isinstance(result, Trained)]
    return model


def test_a_forecast_is_made_for_each_day_and_judged_where_its_day_has_come(use_case: MakeUseCase) -> None:
    case = use_case(PIPELINE)

    model = first_run(case)

    metric = "root_mean_squared_error"
    assert model.promoted and model.metrics[metric] < model.naive[metric]
    assert (judged(case)[BEFORE], judged(case)[LAST]) == (14, 0)
    predictions = case.lakehouse.read(Table("predictions", "daily"))
    assert predictions.filter("prediction IS NOT NULL").count() == 560
    assert predictions.filter("forecast_for <> day + INTERVAL 7 DAYS").count() == 0


def test_later_days_judge_what_was_forecast_for_them(use_case: MakeUseCase) -> None:
    case = use_case(PIPELINE)
    first_run(case)

    land(case, 280, 284)
    told = stages(case, *[stage for stage in STAGES if stage != "train"])
    assert {result.action for result in told if isinstance(result, Outcome)} <= {"updated", "unchanged"}
    found = judged(case)
    assert (found[BEFORE], found[LAST], found[LAST + timedelta(days=7)]) == (14, 8, 0)
