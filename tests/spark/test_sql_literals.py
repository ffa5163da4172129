"""Values become SQL that stands for them and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from lakeloop.literals import is_in, literal

VALUES: list[object] = [
    True,
    -7,
    2**40,
    0.1,
    float("inf"),
    Decimal("1.50"),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 12, 30, 0, 250),
    "plain",
    "it's",
    "back\\slash \\' OR true --",
    'double "quote" and ${x}',
    "two\nlines, \\n",
]


def test_a_literal_gives_its_value_back(spark: SparkSession) -> None:
    columns = ", ".join(f"{literal(value)} AS c{number}" for number, value in enumerate(VALUES))

    assert list(spark.sql(f"SELECT {columns}").collect()[0]) == VALUES


def test_is_in_finds_nulls_only_where_asked_and_nothing_among_nothing(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a",), ("it's",), (None,), ("b",)], "x string")

    def found(*values: object) -> list[str | None]:
        return [row["x"] for row in rows.filter(is_in("x", values)).collect()]

    assert found("a", "it's") == ["a", "it's"]
    assert found("a", None) == ["a", None]
    assert found(None) == [None]
    assert found() == []


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process in another time zone than Spark's session, as on most laptops."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_moment_stays_the_moment_in_any_time_zone(spark: SparkSession) -> None:
    rows = spark.sql("SELECT TIMESTAMP '2024-02-29 03:00:00' AS at")
    value = rows.collect()[0]["at"]

    assert rows.filter(is_in("at", [value])).count() == 1
