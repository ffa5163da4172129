"""Silver keeps each key's newest valid row, quarantine the rest with every reason; no raw row vanishes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakeloop import silver
from lakeloop.errors import DataError
from lakeloop.tables import Table

Raw = tuple[str | None, str | None, str | None]

ORDERS = """
sources:
  orders:
    path: orders/*.csv
    key: id
    missing: [NA, "-"]
    columns:
      id: int
      total: double
      day: date
      twice: total * 2
      four_times: twice * 2
    expect:
      total_is_positive: total > 0
      total_is_small: {rule: total < 1000, otherwise: drop}
      total_is_whole: {rule: total = floor(total), otherwise: warn}
"""
SCHEMA = (
    "id string, total string, day string, _corrupt_record string, _source_file string, "
    "_source_modified_at timestamp, _ingested_at timestamp"
)
NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)
KEY = ["_row_hash", "_row_number"]


def raw(*rows: Raw, modified: int = 1, corrupt: str | None = None) -> list[tuple[Any, ...]]:
    """Bronze rows of one file that was changed on that day of April 2024."""
    date = datetime(2024, 4, modified, tzinfo=timezone.utc)
    return [(*row, corrupt, f"file{modified}.csv", date, NOW) for row in rows]


def derive(case: UseCase) -> list[str]:
    return [case.engine().derive(item).action for item in silver.derivations(case.settings, "orders")]


def test_bare_types_are_safe_casts_and_expressions_see_them(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    rows = [(" 1 ", "2.0", "2024-01-31"), ("2", "NA", "-"), ("3", "", None)]
    bronze = case.spark.createDataFrame(raw(*rows), SCHEMA)

    found = silver.latest(bronze, case.settings.pipeline.sources["orders"])

    assert [(field.name, field.dataType.simpleString()) for field in found.schema] == [
        ("id", "int"), ("total", "double"), ("day", "date"), ("twice", "double"), ("four_times", "double"),
        ("_source_file", "string"), ("_source_modified_at", "timestamp"), ("_ingested_at", "timestamp"),
        ("_row_hash", "bigint"),
    ]  # fmt: skip
    values = found.selectExpr("id", "total", "string(day)", "twice", "four_times").orderBy("id").collect()
    assert [tuple(row) for row in values] == [
        (1, 2.0, "2024-01-31", 4.0, 8.0),
        (2, None, None, None, None),
        (3, None, None, None, None),
    ]


def test_the_newest_of_a_key_takes_one_sort(use_case: MakeUseCase, capsys: pytest.CaptureFixture[str]) -> None:
    case = use_case(ORDERS)
    bronze = case.spark.createDataFrame(raw(("1", "2", None)), SCHEMA)

    silver.latest(bronze, case.settings.pipeline.sources["orders"]).explain()

    plan = capsys.readouterr().out
    assert plan.count("Window [") == 1
    assert plan.count("Sort [") == 1


def test_a_text_needs_no_rule_to_be_one(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS.replace("total: double", "total: string").replace("total * 2", "total || total"))
    bronze = case.spark.createDataFrame(raw(("1", "2", None)), SCHEMA)

    found = silver.expectations(bronze, case.settings.pipeline.sources["orders"])

    assert list(found.automatic) == ["record_parses", "id_is_int", "day_is_date", "id_is_present"]


def test_what_breaks_a_rule_is_quarantined_as_it_came_with_every_reason(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    rows = raw(
        ("1", " 1e", "2024-01-31"),
        ("2", "-5.5", "31/01/2024"),
        (None, "5", None),
        ("4", "5000", None),
        ("5", "1.5", None),
        ("6", None, None),
        ("seven", "5000", None),
    ) + raw(("8", "5", None), corrupt="8,5,,surplus")
    bronze = case.spark.createDataFrame(rows, SCHEMA)
    source = case.settings.pipeline.sources["orders"]

    found = silver.quarantined(bronze, source)

    assert found.columns == [*bronze.columns, "_failed_rules"]
    assert [
        tuple(row) for row in found.select("id", "total", "day", "_failed_rules").orderBy("total", "id").collect()
    ] == [
        ("1", " 1e", "2024-01-31", ["total_is_double"]),
        ("2", "-5.5", "31/01/2024", ["day_is_date", "total_is_positive", "total_is_whole"]),
        (None, "5", None, ["id_is_present"]),
        ("8", "5", None, ["record_parses"]),
        ("seven", "5000", None, ["id_is_int", "id_is_present", "total_is_small"]),
    ]
    # 4 is dropped; 5 only warned of; 6 has no total, and a rule that gives null passes.
    assert sorted(row["id"] for row in silver.latest(bronze, source).collect()) == [5, 6]


def test_the_newest_version_of_a_key_wins_whatever_the_order_of_arrival(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    case.write("bronze.orders", raw(("1", "2", None), ("2", "2", None), modified=2), SCHEMA)
    assert derive(case) == ["created", "created"]

    case.append("bronze.orders", raw(("1", "1", None), ("3", "1", None), ("4", "x", None), modified=1), SCHEMA)
    case.append("bronze.orders", raw(("2", "3", None), ("2", "3", None), ("1", "x", None), modified=3), SCHEMA)
    assert derive(case) == ["updated", "updated"]

    assert case.rows("silver.orders", "id", "total", "_source_file") == [
        (1, 2.0, "file2.csv"), (2, 3.0, "file3.csv"), (3, 1.0, "file1.csv"),
    ]  # fmt: skip
    assert case.rows("quarantine.orders", "id", "total", "_failed_rules") == [
        ("1", "x", ["total_is_double"]), ("4", "x", ["total_is_double"]),
    ]  # fmt: skip
    # What a rebuild of everything gives is the same.
    source = case.settings.pipeline.sources["orders"]
    bronze = case.lakehouse.read(Table("bronze", "orders"))
    full = silver.latest(bronze, source).select("id", "total", "_source_file").collect()
    assert sorted(tuple(row) for row in full) == case.rows("silver.orders", "id", "total", "_source_file")


def test_every_bronze_row_is_in_silver_superseded_quarantined_or_dropped(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    source = case.settings.pipeline.sources["orders"]
    first = raw(("1", "1", None), ("2", "x", None), ("3", "9999", None), ("1", "1", None), (None, None, None))
    second = raw(("1", "2", None), ("4", "1", None), ("3", "-1", None), ("5", "2000", None), modified=2)
    broken = raw(("6", "1", None), modified=3, corrupt="6,1,,surplus")
    bronze = case.spark.createDataFrame(first + second + broken, SCHEMA)
    rules = silver.expectations(bronze, source)
    judged = silver.judged(bronze, source)

    latest = tuples(silver.latest(bronze, source).select("id", "total"))

    assert latest == [(1, 2.0), (4, 1.0)]
    assert tuples(silver.quarantined(bronze, source).select("id")) == [("2",), ("3",), ("6",), (None,)]
    superseded = judged.filter(rules.kept()).count() - len(latest)
    assert (len(first + second + broken), superseded, judged.filter(rules.dropped()).count()) == (10, 2, 2)


def test_without_a_key_a_row_is_its_content_and_its_number_within_its_file(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS.replace("    key: id\n", ""))
    source = case.settings.pipeline.sources["orders"]
    files = [
        raw(("1", "5", None), ("1", "5", None), ("2", None, "2024-01-01"), ("2", "x", None)),
        # The same again, but for a row that is written in another way.
        raw(("1", "5", None), ("1", "5.0", None), ("2", None, "2024-01-01"), modified=2),
        raw(("1", "5", None), ("1", "5", None), ("1", "5", None), modified=3),
    ]
    bronze = case.spark.createDataFrame([row for file in files for row in file], SCHEMA)

    found = silver.latest(bronze, source)

    assert tuples(found.selectExpr("id", "total", "string(day)", "_row_number", "_source_file")) == [
        (1, 5.0, None, 1, "file2.csv"),
        (1, 5.0, None, 1, "file3.csv"),
        (1, 5.0, None, 2, "file3.csv"),
        (1, 5.0, None, 3, "file3.csv"),
        (2, None, "2024-01-01", 1, "file2.csv"),
    ]
    # File by file the keys are the same, so that increments meet the rows that they replace.
    alone = [tuples(silver.latest(case.spark.createDataFrame(file, SCHEMA), source).select(KEY)) for file in files]
    assert {key for keys in alone for key in keys} == set(tuples(found.select(KEY)))
    # A column that only later files have changes no row.
    wider = bronze.withColumn("added", F.lit(None).cast("string"))
    assert tuples(silver.latest(wider, source)) == tuples(found)


def test_the_hash_of_a_row_tells_which_of_its_columns_is_null(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("x", None, None), (None, "x", None), (None, None, ("x", None)), (None, None, (None, "x"))],
        "a string, b string, c struct<d: string, e: string>",
    )

    assert rows.selectExpr(silver.row_hash(rows.schema.fields)).distinct().count() == 4


def test_the_hash_of_a_row_is_the_same_in_wider_types(spark: SparkSession) -> None:
    narrow = spark.createDataFrame([(1, {"x": 2}), (None, None)], "a int, b map<string, int>")
    wide = narrow.select(F.col("b").cast("map<string, bigint>"), F.col("a").cast("bigint"))
    hashes = [tuples(rows.selectExpr(silver.row_hash(rows.schema.fields))) for rows in (narrow, wide)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2


def test_columns_without_a_type_stay_as_they_came(use_case: MakeUseCase) -> None:
    case = use_case("sources: {orders: {path: orders/*.csv, key: id}}")
    bronze = case.spark.createDataFrame(raw(("1", " 01.50 ", "")), SCHEMA)

    found = silver.latest(bronze, case.settings.pipeline.sources["orders"])

    assert found.columns[:3] == ["id", "total", "day"]
    assert [tuple(row) for row in found.select("id", "total", "day").collect()] == [("1", "01.50", None)]


def test_a_rule_set_to_fail_ends_the_run_before_anything_is_written(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS.replace("otherwise: warn", "otherwise: fail"))
    case.write("bronze.orders", raw(("1", "2", None)), SCHEMA)
    silver.stop_at_failing_rules(case.engine(), "orders")
    derive(case)
    case.append("bronze.orders", raw(("2", "2.5", None), ("3", "3.5", None), ("4", None, None)), SCHEMA)

    with pytest.raises(DataError, match=r"silver\.orders was not written: total_is_whole .* in 2 rows"):
        silver.stop_at_failing_rules(case.engine(), "orders")


def test_a_whole_number_may_be_written_with_a_point(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    rows = [("59.0", "1", None), ("60.5", "1", None), ("9007199254740993", "1", None), ("1e3", "1", None)]
    bronze = case.spark.createDataFrame(raw(*rows), SCHEMA)
    source = case.settings.pipeline.sources["orders"]

    assert sorted(row["id"] for row in silver.latest(bronze, source).collect()) == [59, 1000]
    kept_out = {row["id"]: row["_failed_rules"] for row in silver.quarantined(bronze, source).collect()}
    assert kept_out == {
        "60.5": ["id_is_int", "id_is_present"],
        "9007199254740993": ["id_is_int", "id_is_present"],
    }
