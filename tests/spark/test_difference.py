"""Of slices that are computed anew only what differs is written, and those made from the table see nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lakeloop import derive
from lakeloop.derivation import BySlice, Derivation, Rows
from lakeloop.difference import difference
from lakeloop.tables import Table

EVENTS, SHOPS, OUT = Table("silver", "events"), Table("silver", "shops"), Table("gold", "out")
EVENT, SHOP = "id int, day date, shop string", "shop string, city string"


def day(number: int) -> date:
    return date(2024, 5, number)


def in_cities(rows: Rows) -> DataFrame:
    return rows[EVENTS].join(rows[SHOPS], "shop", "left").select("day", "id", "city")


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    events = [(1, day(1), "a"), (2, day(1), "b"), (3, day(2), "a"), (4, day(3), "b"), (5, None, "b")]
    made.write("silver.events", events, EVENT)
    made.write("silver.shops", [("a", "Rome"), ("b", "Oslo")], SHOP)
    derived(made)
    return made


def derived(case: UseCase) -> str:
    """Derives the table, whose days a new shop may all touch, and compares it with one made from scratch: how the last
    commit wrote."""
    touched = {
        EVENTS: "day",
        SHOPS: "array(DATE '2024-05-01', DATE '2024-05-02', DATE '2024-05-03', CAST(NULL AS DATE))",
    }
    case.engine().derive(Derivation(OUT, (EVENTS, SHOPS), in_cities, BySlice("day", touched, frozenset({EVENTS})), "v"))
    full = in_cities({table: case.lakehouse.read(table) for table in (EVENTS, SHOPS)})
    assert case.rows("gold.out") == sorted((tuple(row) for row in full.collect()), key=repr)
    row = case.sql("DESCRIBE HISTORY {gold.out} LIMIT 1").collect()[0]
    return str(row["operationParameters"].get("mode", row["operation"]))


def changes(case: UseCase) -> list[tuple[object, ...]]:
    """What the last commit changed, as those see it that read the table's change data feed."""
    newest = case.lakehouse.latest(OUT)
    assert newest is not None
    rows = case.lakehouse.changes(OUT, newest.version - 1, newest.version)
    return sorted((tuple(row) for row in rows.select("_change_type", "day", "id", "city").collect()), key=repr)


def test_rows_that_are_missing_are_added_alone(case: UseCase) -> None:
    case.append("silver.events", [(6, day(1), "a"), (7, day(1), "a"), (7, day(1), "a"), (8, day(2), "b")], EVENT)
    assert derived(case) == "Append"
    assert changes(case) == [
        ("insert", day(1), 6, "Rome"),
        ("insert", day(1), 7, "Rome"),
        ("insert", day(1), 7, "Rome"),
        ("insert", day(2), 8, "Oslo"),
    ]
    newest = case.lakehouse.latest(OUT)
    assert newest is not None and newest.progress is not None
    assert newest.progress["slices"] == {"day": ["2024-05-01", "2024-05-02"]}


def test_a_row_that_comes_once_more_is_missing(case: UseCase) -> None:
    case.append("silver.events", [(3, day(2), "a")], EVENT)
    assert derived(case) == "Append"
    assert changes(case) == [("insert", day(2), 3, "Rome")]


def test_where_nothing_differs_nothing_is_written(case: UseCase) -> None:
    case.append("silver.shops", [("c", "Lima")], SHOP)
    assert derived(case) == "SET TBLPROPERTIES"
    case.append("silver.events", [(6, day(4), "c")], EVENT)
    assert derived(case) == "Append"


def test_slices_that_have_rows_too_many_are_replaced_and_no_others(case: UseCase) -> None:
    case.sql("DELETE FROM {silver.events} WHERE id IN (2, 5)")
    case.append("silver.events", [(6, day(3), "a")], EVENT)
    case.append("silver.shops", [("c", "Lima")], SHOP)
    assert derived(case) == "Overwrite"
    assert changes(case) == [
        ("delete", None, 5, "Oslo"),
        ("delete", day(1), 1, "Rome"),
        ("delete", day(1), 2, "Oslo"),
        ("delete", day(3), 4, "Oslo"),
        ("insert", day(1), 1, "Rome"),
        ("insert", day(3), 4, "Oslo"),
        ("insert", day(3), 6, "Rome"),
    ]


def test_where_many_rows_changed_nothing_is_compared(case: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "FEW_ROWS", 1)
    case.append("silver.events", [(6, day(1), "a"), (7, day(1), "a")], EVENT)
    assert derived(case) == "Overwrite"


@pytest.mark.classic("a server's data frames have no such method here")
def test_where_a_session_keeps_no_rows_slices_are_replaced(case: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> DataFrame:
        raise PySparkException("PERSIST TABLE is not supported on serverless compute")

    monkeypatch.setattr(type(case.lakehouse.read(OUT)), "localCheckpoint", refused)
    case.append("silver.events", [(6, day(1), "a")], EVENT)
    assert derived(case) == "Overwrite"


def test_a_column_that_one_does_not_have_is_null_there(spark: SparkSession) -> None:
    there = spark.sql("SELECT * FROM VALUES (1, 'x', 'old'), (2, 'x', NULL) AS t (day, a, b)")
    computed = spark.sql("SELECT * FROM VALUES (1, 'x', NULL), (2, 'x', NULL), (3, 'y', 'new') AS t (day, A, c)")
    found = difference(computed, there, "day")
    assert found is not None
    assert (found.slices, found.only_more) == ([1, 3], False)
    rows = {tuple(row) for row in found.computed().select("day", "a", "b", "c").collect()}
    assert rows == {(1, "x", None, None), (2, "x", None, None), (3, "y", None, "new")}


@pytest.mark.parametrize(
    ("computed", "there"),
    [
        ("map('a', 1)", "map('a', 1)"),
        ("named_struct('a', array(parse_json('1')))", "named_struct('a', array(parse_json('1')))"),
        ("'A' COLLATE UTF8_LCASE", "'a' COLLATE UTF8_LCASE"),
        ("1L", "1"),
    ],
)
def test_what_has_no_equality_is_not_compared(spark: SparkSession, computed: str, there: str) -> None:
    frames = [spark.sql(f"SELECT 1 AS day, {value} AS x") for value in (computed, there)]
    assert difference(frames[0], frames[1], "day") is None


def test_numbers_times_and_nested_values_are_compared(spark: SparkSession) -> None:
    value = """named_struct('a', array(1.5D, double('NaN')), 'b', array(named_struct('c', 1.5, 'd', 2L)), 'e', X'01',
        'f', true, 'g', TIMESTAMP_NTZ '2024-05-01', 'h', DATE '2024-05-01', 'i', TIMESTAMP '2024-05-01')"""
    there = spark.sql(f"SELECT 1 AS day, {value} AS x")
    found = difference(there.select("*"), there, "day")
    assert found is not None
    assert found.slices == []
    other = difference(spark.sql(f"SELECT 1 AS day, {value.replace('1.5D', '2.5D')} AS x"), there, "day")
    assert other is not None
    assert (other.slices, other.only_more) == ([1], False)
