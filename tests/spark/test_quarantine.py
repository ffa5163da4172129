"""Quarantine tells why rows are there, with the raw values that matter, and what a mended rule would let in."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame

from lakeloop import silver
from lakeloop.config.sources import Source
from lakeloop.governance import quarantine
from lakeloop.governance.quarantine import Judgement

ORDERS = """
sources:
  orders:
    path: orders/*.csv
    key: id
    columns: {id: int, total: double, twice: total * 2, name: upper(name)}
    expect:
      twice_is_positive: twice > 0
      name_is_short: length(name) < 60
"""
SCHEMA = (
    "id string, total string, name string, secret string, _corrupt_record string, _source_file string, "
    "_source_modified_at timestamp, _ingested_at timestamp"
)


def held(case: UseCase, *rows: tuple[str | None, str | None, str | None]) -> DataFrame:
    """The quarantined ones of raw rows, a day later each."""
    bronze: list[tuple[Any, ...]] = [
        (*row, "hidden", None, f"file:/landing/{number}.csv", None, datetime(2024, 5, number, tzinfo=timezone.utc))
        for number, row in enumerate(rows, 1)
    ]
    return silver.quarantined(case.spark.createDataFrame(bronze, SCHEMA), source(case))


def source(case: UseCase) -> Source:
    return case.settings.pipeline.sources["orders"]


def test_reasons_are_counted_with_examples_of_the_columns_that_they_are_about(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    rows = held(case, ("1", "x", "a"), ("2", "-1", "b"), (None, "-2", "c" * 70), ("3", "-3", "d"), ("4", "4", "fine"))

    found = quarantine.reasons(rows, source(case))
    assert [(item.rule, item.condition, item.rows, item.first.day, item.last.day) for item in found] == [
        ("twice_is_positive", "twice > 0", 3, 2, 4),
        ("id_is_present", "", 1, 3, 3),
        ("name_is_short", "length(name) < 60", 1, 3, 3),
        ("total_is_double", "", 1, 1, 1),
    ]

    assert quarantine.examples(rows, source(case), [item.rule for item in found], limit=2) == {
        "twice_is_positive": [{"_source_file": "4.csv", "total": "-3"}, {"_source_file": "3.csv", "total": "-2"}],
        "id_is_present": [{"_source_file": "3.csv", "id": None}],
        "name_is_short": [{"_source_file": "3.csv", "name": "c" * 39 + "…"}],
        "total_is_double": [{"_source_file": "1.csv", "total": "x"}],
    }


def test_a_mended_rule_lets_rows_in(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    long = "c" * 70
    rows = held(case, ("1", "x", "a"), ("2", "-1", "b"), ("3", "-3", long), (None, "-2", "d"), ("4", "5", long))
    text = ORDERS.replace("twice > 0", "twice > -5").replace("double", "string")
    mended = use_case(text.replace("length(name) < 60", "{rule: length(name) < 60, otherwise: drop}"))

    assert quarantine.judge_again(rows, source(mended)) == [
        Judgement("", 5, passing=2, dropped=1),
        Judgement("twice_is_positive", 3, passing=1, dropped=0),
        Judgement("name_is_short", 2, passing=0, dropped=1),
        Judgement("id_is_present", 1, passing=0, dropped=0),
        Judgement("total_is_double", 1, passing=1, dropped=0),
    ]
