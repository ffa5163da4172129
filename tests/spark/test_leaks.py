"""Check warns of columns that give the label away, among those that the model would see."""

from __future__ import annotations

from datetime import datetime, timezone

from conftest import MakeUseCase, UseCase
from pyspark.sql import functions as F

from lakeloop.checking import Check
from lakeloop.modelling import leaks
from lakeloop.modelling.dataset import model_columns

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)
RENTALS = """
sources:
  rentals:
    path: rentals/*.csv
    key: id
    columns: {id: int, casual: int, registered: int, weather: string, invoice: double, total: int}
model: {task: regression, spine: silver.rentals, label: total, split: {by: random}, exclude: weather}
"""


def rentals(use_case: MakeUseCase) -> UseCase:
    case = use_case(RENTALS)
    rows = [f"{at},{at * 7 % 50},{at * 11 % 60},fair,{at * 7 % 50 + at * 11 % 60 + 0.5}" for at in range(300)]
    totals = [str(at * 7 % 50 + at * 11 % 60) for at in range(300)]
    lines = [f"{row},{total}" for row, total in zip(rows, totals, strict=True)]
    case.land("rentals/1.csv", "\n".join(["id,casual,registered,weather,invoice,total", *lines]))
    return case


def test_check_warns_and_says_what_to_exclude(use_case: MakeUseCase) -> None:
    case = rentals(use_case)
    check = Check(case.spark, case.settings, NOW).analyse().look()
    assert check.problems == []
    assert [warning.where for warning in check.warnings] == ["model.exclude", "model.exclude"]
    alone, together = check.warnings
    assert alone.found.startswith("invoice: alone predicts the label: R² 0.9")
    assert alone.hint.endswith("exclude: [weather, invoice]")
    assert together.found == "casual and registered: add up to the label"
    assert together.hint.endswith("exclude: [weather, casual, registered]")


def test_a_column_that_is_null_with_the_label_is_found(use_case: MakeUseCase) -> None:
    case = use_case(RENTALS)
    rows = case.spark.range(100).selectExpr(
        "int(id) as id", "int(id) % 7 as casual", "if(id % 4 = 0, null, 1) as registered", "'fair' as weather",
        "if(id % 4 = 1, null, 2.0) as invoice", "if(id % 4 = 0, null, int(id) % 5) as total",
    )  # fmt: skip
    told = [(leak.columns, leak.found) for leak in leaks.find(rows, case.settings.pipeline)]
    assert told == [(("registered",), "is null just where the label is null")]


def test_the_model_does_not_see_where_a_row_came_from(use_case: MakeUseCase) -> None:
    case = use_case(RENTALS)
    rows = case.spark.range(1).select(
        *[F.lit(1).alias(name) for name in ("id", "casual", "total", "_row_hash")],
        *[F.lit("a").alias(name) for name in ("weather", "town", "_source_file")],
    )
    assert model_columns(rows, case.settings.pipeline).all == ["casual", "town"]
