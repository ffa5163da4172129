"""A forecast's label is a later row's value; what is learnt from, judged and watched never looks ahead of its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from lakeloop.derivation import Rows
from lakeloop.modelling import dataset
from lakeloop.monitoring import tables as monitor
from lakeloop.monitoring.reference import Reference
from lakeloop.tracking import ModelVersion

SALES = """
sources:
  sales: {path: sales/*, key: [day, store], columns: {day: timestamp, store: string, sold: double}}
gold:
  daily: {sql: "SELECT day, store, sold FROM silver.sales", key: [day, store], time: day, increment_by: day}
model:
  task: forecast
  spine: gold.daily
  entity: store
  label: sold
  horizon: 2 days
  season: 3 days
  split: {validation: 4 days, test: 3 days}
"""
ROWS = "day timestamp, store string, sold double"
FIRST = datetime(2024, 1, 1, tzinfo=timezone.utc)


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def sold(case: UseCase, *series: tuple[int, str | None, float | None]) -> DataFrame:
    return case.spark.createDataFrame([(day(number), store, value) for number, store, value in series], ROWS)


def days(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return tuples(frame.selectExpr(f"datediff(day, '{FIRST:%Y-%m-%d}') AS number", "store", *columns))


def test_the_label_is_the_value_one_horizon_later_in_the_same_series(use_case: MakeUseCase) -> None:
    case = use_case(SALES)
    rows = sold(
        case, (0, "a", 1.0), (1, "a", 2.0), (2, "a", None), (4, "a", 5.0), (0, "b", 10.0), (2, "b", 30.0),
        (0, None, 7.0), (2, None, 9.0),
    )  # fmt: skip

    assert days(dataset.labelled(rows, case.settings.pipeline), "_label") == [
        (0, "a", None), (0, "b", 30.0), (0, None, 9.0), (1, "a", None), (2, "a", 5.0), (2, "b", None), (2, None, None),
        (4, "a", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("season", "known_after", "expected"),
    [
        # Two days ahead of day 4 is day 6; whole seasons before it and known on day 4 are …
        ("season: 3 days", "0 seconds", 3.0),
        ("season: 2 days", "0 seconds", 4.0),
        ("season: 1 day", "0 seconds", 4.0),
        ("season: 1 day", "1 day", 3.0),
        ("season: 3 days", "2 days", 0.0),
        ("", "0 seconds", 4.0),
        ("", "2 days", 2.0),
    ],
)
def test_the_naive_forecast_is_the_newest_known_value_whole_seasons_before(
    use_case: MakeUseCase, season: str, known_after: str, expected: float
) -> None:
    text = SALES.replace("season: 3 days", season)
    text = text.replace("label: sold", f"label: {{expression: sold, known_after: {known_after}}}")
    case = use_case(text)
    rows = sold(case, *[(number, "a", float(number)) for number in range(9)])
    found = dict(
        (number, value) for number, _, value in days(dataset.with_naive(rows, case.settings.pipeline), "_naive")
    )
    assert found[4] == expected
    assert found[0] == (0.0 if expected == 4.0 else None)


def test_no_row_is_learnt_from_before_its_outcome_is_known(use_case: MakeUseCase) -> None:
    case = use_case(SALES)
    pipeline = case.settings.pipeline
    rows = dataset.labelled(sold(case, *[(number, "a", float(number)) for number in range(13)]), pipeline)

    parts, cuts = dataset.split(rows, pipeline)

    # The newest known outcome is that of day 10, so the test begins on day 7 and the validation on day 3.
    assert (cuts.validation[:10], cuts.test[:10]) == ("2024-01-04", "2024-01-08")
    found = {number: part for number, _, part in days(parts, "_part")}
    assert found == {0: "train", 3: "validation", 4: "validation", **dict.fromkeys((7, 8, 9, 10), "test")}


def test_a_series_that_has_two_rows_at_a_time_is_told(use_case: MakeUseCase) -> None:
    case = use_case(SALES.replace("entity: store", "entity: []"))
    rows = dataset.labelled(sold(case, (0, "a", 1.0), (2, "a", 1.0), (2, "b", 2.0)), case.settings.pipeline)
    with pytest.raises((PySparkException, Py4JJavaError), match=r"model.entity: the series has several rows"):
        rows.collect()


def test_the_model_sees_the_past_and_the_series(use_case: MakeUseCase) -> None:
    case = use_case(SALES)
    rows = sold(case, (0, "a", 1.0)).selectExpr("*", "'x.csv' AS _source_file", "1L AS _row_hash")
    assert dataset.model_columns(rows, case.settings.pipeline).all == ["sold", "store"]
    late = use_case(SALES.replace("label: sold", "label: {expression: sold, known_after: 1 day}"))
    assert dataset.model_columns(rows, late.settings.pipeline).all == ["store"]


def test_a_window_is_judged_anew_when_its_outcomes_become_known(use_case: MakeUseCase) -> None:
    case = use_case(SALES)
    champion, reference = ModelVersion("sales", "1", "run", (), {}), Reference([], [], {}, [])
    profile = monitor.profile_derivation(case.settings, champion, reference)
    features, predictions = profile.inputs

    def known(rows: Rows) -> DataFrame:
        """A profile of outcomes alone: the real one takes as long as the rest of this file."""
        found = dataset.labelled(rows[features], case.settings.pipeline).join(rows[predictions], ["day", "store"])
        return found.selectExpr("named_struct('start', day) AS window", "_label")

    derivation = replace(profile, compute=known)
    case.write("features.daily", [(day(number), "a", float(number)) for number in range(3)], ROWS)
    case.write("predictions.daily", [(day(number), "a") for number in range(4)], "day timestamp, store string")
    assert case.engine().derive(derivation).action == "created"
    assert [row[0] for row in case.rows(str(profile.output), "_label")] == [2.0, None, None]

    case.append("features.daily", [(day(3), "a", 3.0)], ROWS)
    assert case.engine().derive(derivation).action == "updated"
    expected = [(day(0), 2.0), (day(1), 3.0), (day(2), None), (day(3), None)]
    found = case.rows(str(profile.output), "window.start", "_label")
    assert [(at.replace(tzinfo=timezone.utc), value) for at, value in found] == expected
