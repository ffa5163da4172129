"""The rules that a row breaks are named on it; it meets the gravest end that they ask for."""

from __future__ import annotations

import pytest
from pyspark.sql import Column, SparkSession

from lakeloop.config.sources import Rule
from lakeloop.quality import Expectations, counts

RULES = {
    "small": Rule(rule="x < 10", otherwise="drop"),
    "even": Rule(rule="x % 2 = 0", otherwise="quarantine"),
    "odd_name": Rule(rule="name <> 'it''s'", otherwise="warn"),
}
ROWS = [(2, "a"), (12, "a"), (3, "a"), (13, "it's"), (4, "it's"), (None, None), (-1, "a")]


@pytest.fixture
def expectations() -> Expectations:
    return Expectations(RULES, {"not_negative": "x >= 0"})


def test_all_broken_rules_of_a_row_are_named(spark: SparkSession, expectations: Expectations) -> None:
    judged = expectations.judged(spark.createDataFrame(ROWS, "x int, name string"))

    def of(condition: Column) -> list[int | None]:
        return [row["x"] for row in judged.filter(condition).collect()]

    assert [tuple(row) for row in judged.collect()] == [
        (2, "a", []),
        (12, "a", ["small"]),
        (3, "a", ["even"]),
        (13, "it's", ["small", "even", "odd_name"]),
        (4, "it's", ["odd_name"]),
        (None, None, []),
        (-1, "a", ["not_negative", "even"]),
    ]
    assert of(expectations.kept()) == [2, 4, None]
    assert of(expectations.quarantined()) == [3, 13, -1]
    assert of(expectations.dropped()) == [12]
    assert of(~expectations.broken("quarantine", "drop")) == [2, 4, None]
    assert of(expectations.broken("quarantine")) == [3, 13, -1]
    assert counts(judged) == {"even": 3, "not_negative": 1, "odd_name": 2, "small": 2}
    assert expectations.names("quarantine", "warn") == ["not_negative", "even", "odd_name"]


def test_without_rules_every_row_is_kept(spark: SparkSession) -> None:
    none = Expectations({}, {})
    judged = none.judged(spark.createDataFrame([(1,)], "x int"))

    assert [tuple(row) for row in judged.filter(none.kept()).collect()] == [(1, [])]
    assert judged.filter(none.quarantined()).count() == judged.filter(none.dropped()).count() == 0
    assert judged.filter(none.broken("quarantine", "drop")).count() == 0
    assert counts(judged) == {}
