"""A MERGE of few rows opens the files that may hold their keys, and comes to the same as one that opens all."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame

from lakeloop.merging import within
from lakeloop.tables import Table

OUT = Table("silver", "out")
KEYS = ("day", "at", "id")
SCHEMA = "day date, at timestamp, id bigint, name string, x int"
THERE = """
    SELECT * FROM VALUES
        (date'2024-05-01', timestamp'2024-05-01 10:00:00.000001', 1L, 'a', 1),
        (date'2024-05-02', timestamp'2024-05-02 10:00:00.999999', -2L, 'b', 2),
        (date'2024-05-03', NULL, 3L, 'c', 3),
        (NULL, NULL, NULL, 'd', 4),
        (date'9999-12-31', timestamp'9999-12-31 23:59:59', 5L, 'e', 5) AS t(day, at, id, name, x)
"""
NEW = "date'2024-06-01', timestamp'2024-06-01', 9L, 'n', 9"


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.lakehouse.create(OUT, made.spark.sql(THERE), {"run": "r"})
    return made


def known(case: UseCase, where: str) -> DataFrame:
    """Rows with keys that are there, and another value."""
    return case.spark.sql(f"SELECT day, at, id, name, x + 100 AS x FROM ({THERE}) WHERE {where}")


@pytest.mark.parametrize(
    "where", ["x = 1", "x = 2", "x = 3", "x = 4", "x = 5", "x IN (1, 4)", "x < 3", "true", "false"]
)
def test_rows_find_their_keys(case: UseCase, where: str) -> None:
    rows = known(case, where).unionAll(case.spark.sql(f"SELECT {NEW}"))
    case.lakehouse.merge(OUT, rows, KEYS, {"run": "r"}, twice=True)
    expected = case.spark.sql(
        f"SELECT day, at, id, name, IF({where}, x + 100, x) AS x FROM ({THERE}) UNION ALL SELECT {NEW}"
    )
    texts = [[str(row) for row in frame.collect()] for frame in (case.lakehouse.read(OUT), expected)]
    assert sorted(texts[0]) == sorted(texts[1])


def test_rows_are_removed_by_their_keys(case: UseCase) -> None:
    case.lakehouse.merge(OUT, known(case, "false"), KEYS, {"run": "r"}, deleted=known(case, "x IN (2, 4)"), twice=True)
    assert sorted(row["x"] for row in case.lakehouse.read(OUT).collect()) == [1, 3, 5]


@pytest.mark.parametrize(
    ("rows", "conditions"),
    [
        (
            "(date'2024-05-01', timestamp'2024-05-01 10:00:00.000001', -1L), (date'2024-05-03', NULL, 7L)",
            [
                "(t.`day` BETWEEN DATE '2024-05-01' AND DATE '2024-05-03')",
                "(t.`at` IS NULL OR t.`at` BETWEEN TIMESTAMP '2024-05-01 10:00:00.000001+00:00'"
                " AND TIMESTAMP '2024-05-01 10:00:00.000001+00:00')",
                "(t.`id` BETWEEN -1L AND 7L)",
            ],
        ),
        # Of a day that Python does not have nothing is said.
        ("(date'+12000-01-01', NULL, 1L)", ["(t.`at` IS NULL)", "(t.`id` BETWEEN 1L AND 1L)"]),
    ],
)
def test_what_is_known_of_the_keys(case: UseCase, rows: str, conditions: list[str]) -> None:
    source = case.spark.sql(f"SELECT day, timestamp(at) AS at, id, 'n' AS name FROM VALUES {rows} AS t(day, at, id)")
    assert within(source, ("day", "at", "id", "name")) == conditions


def test_texts_and_hashes_say_nothing(case: UseCase) -> None:
    assert within(case.spark.sql("SELECT 'a' AS name, 1L AS _row_hash"), ("name", "_row_hash")) == []


def test_files_of_other_keys_are_not_opened(case: UseCase) -> None:
    table = Table("silver", "days")
    case.lakehouse.create(table, case.spark.sql("SELECT date'2024-05-01' AS day, 1 AS x"), {"run": "r"}, {
        "delta.dataSkippingStatsColumns": "day"
    })  # fmt: skip
    [first] = Path(case.lakehouse.location(table)).glob("*.parquet")
    case.lakehouse.append(table, case.spark.sql("SELECT date'2024-05-02' AS day, 2 AS x"), {"run": "r"})
    first.unlink()
    rows = case.spark.sql("SELECT date'2024-05-02' AS day, 20 AS x")
    case.lakehouse.merge(table, rows, ["day"], {"run": "r"}, twice=True)
    assert [row["x"] for row in case.lakehouse.read(table).filter("day = '2024-05-02'").collect()] == [20]
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|FileNotFound"):
        case.lakehouse.merge(table, rows, ["day"], {"run": "r"})
