"""Where silver, made whole, has all rows of bronze, none of them is looked for in quarantine."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop import silver
from lakeloop.config.sources import Source
from lakeloop.pipeline import Run
from lakeloop.report import Reporter
from lakeloop.tables import Table

THINGS = {
    "with a key": "sources: {things: {path: things/*.csv, key: id, columns: {id: int, size: double}}}",
    "without a key": "sources: {things: {path: things/*.csv, columns: {id: int, size: double}}}",
}
GOOD = "id,size\n1,2.5\n2,3.5\n"
HELD = Table("quarantine", "things")


@pytest.fixture(params=THINGS.values(), ids=THINGS)
def things(request: pytest.FixtureRequest, use_case: MakeUseCase) -> UseCase:
    case = use_case(request.param)
    case.land("things/1.csv", GOOD)
    return case


@pytest.fixture
def all_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarantine takes whatever row it looks at."""

    def quarantined(bronze: DataFrame, source: Source) -> DataFrame:
        return bronze.withColumn("_failed_rules", F.array(F.lit("looked_at")))

    monkeypatch.setattr(silver, "quarantined", quarantined)


def new_run(case: UseCase) -> Run:
    return Run(case.spark, case.settings, "test", datetime(2024, 5, 1, tzinfo=timezone.utc), Reporter(quiet=True))


def run(case: UseCase, *stages: str) -> None:
    run = new_run(case)
    for stage in stages:
        run.stage(stage)


def held(case: UseCase) -> list[tuple[object, ...]]:
    return case.rows("quarantine.things", "id", "size")


@pytest.mark.usefixtures("all_held")
def test_nothing_is_looked_for_where_all_rows_are_in_silver(things: UseCase) -> None:
    run(things, "bronze", "silver")

    assert held(things) == []
    assert "_failed_rules" in things.lakehouse.read(HELD).columns


def test_a_broken_row_is_found(things: UseCase) -> None:
    things.land("things/2.csv", "id,size\n3,big\n")

    run(things, "bronze", "silver")

    assert held(things) == [("3", "big")]


@pytest.mark.usefixtures("all_held")
def test_rows_are_looked_at_where_fewer_are_in_silver(use_case: MakeUseCase) -> None:
    case = use_case(THINGS["with a key"])
    case.land("things/1.csv", GOOD + "2,4.5\n")

    run(case, "bronze", "silver")

    assert len(held(case)) == 3


@pytest.mark.usefixtures("all_held")
def test_rows_of_another_run_are_looked_at(things: UseCase) -> None:
    run(things, "bronze")
    run(things, "silver")

    assert len(held(things)) == 2


def test_later_rows_are_looked_at(things: UseCase) -> None:
    run(things, "bronze", "silver")
    things.land("things/2.csv", "id,size\n3,big\n4,1\n")

    run(things, "bronze", "silver")

    assert held(things) == [("3", "big")]


def test_rows_that_somebody_adds_meanwhile_are_looked_at(things: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silver may have such a row in place of one that is broken: as many rows are not all rows."""
    things.land("things/2.csv", "id,size\n3,big\n")
    first = new_run(things)
    first.stage("bronze")
    things.land("things/3.csv", "id,size\n4,1\n")
    run(things, "bronze")

    first.stage("silver")

    assert len(things.rows("silver.things")) == 3
    assert held(things) == [("3", "big")]
