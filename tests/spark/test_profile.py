"""A profile says what is in each window, slice and column, in Lakehouse Monitoring's own column names."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from pyspark.sql import Row, SparkSession

from lakeloop.monitoring.bins import Bins
from lakeloop.monitoring.profile import INPUT, SCHEMA, Plan, profile

DAY = datetime(2024, 1, 1, tzinfo=timezone.utc)
SHOP = Bins(values=("a", "b"))
PLAN = Plan(
    ["x"],
    ["shop"],
    {"x": Bins(edges=(0.0, 2.0, 4.0)), "shop": SHOP},
    "at",
    "1 day",
    ["shop"],
    INPUT,
    "7",
    "binary",
)
COLUMNS = "at timestamp, x double, shop string, prediction boolean, probability double, _label boolean"
NAN = float("nan")
ROWS = [
    (DAY, 0.0, "a", True, 0.9, True),
    (DAY, 1.0, "a", False, 0.4, True),
    (DAY, 3.0, "a", False, 0.1, False),
    (DAY, 4.0, "bcd", True, 0.8, None),
    (DAY, 9.0, "a", None, None, None),
    (DAY, NAN, None, None, None, None),
    (DAY, None, "b", None, None, None),
    (DAY + timedelta(hours=24), -1.0, "a", True, 0.5, True),
    (None, 5.0, "a", True, 0.5, True),
]

PROFILE_CONTRACT = [
    "window", "log_type", "granularity", "slice_key", "slice_value", "column_name", "data_type", "count",
    "num_nulls", "avg", "quantiles", "min", "max", "stddev", "num_zeros", "num_nan", "min_length",
    "max_length", "avg_length", "frequent_items", "median", "distinct_count", "percent_nan", "percent_null",
    "percent_zeros", "percent_distinct",
]  # fmt: skip
OURS = [
    "model_id", "accuracy_score", "log_loss", "roc_auc_score", "mean_squared_error",
    "root_mean_squared_error", "mean_average_error", "r2_score", "label_count", "bin_counts",
]  # fmt: skip

Found = dict[tuple[str, str | None, str], Row]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> Found:
    """The profile's rows by day, slice and column."""
    rows = profile(spark.createDataFrame(ROWS, COLUMNS), PLAN)
    assert rows.schema.simpleString() == SCHEMA.simpleString()
    listed = rows.withColumn("day", rows.window.start.cast("date").cast("string")).collect()
    found = {
        (row["day"], row["slice_value"] if row["slice_key"] else "whole", row["column_name"]): row for row in listed
    }
    assert len(found) == len(listed)
    return found


def test_the_column_names_are_the_contract() -> None:
    assert [name for name in SCHEMA.fieldNames() if name not in OURS] == PROFILE_CONTRACT
    assert set(OURS) < set(SCHEMA.fieldNames())
    assert SCHEMA["window"].dataType.simpleString() == "struct<start:timestamp,end:timestamp>"


def test_each_window_slice_and_column_has_one_row(found: Found) -> None:
    first = [("2024-01-01", value) for value in ("whole", "a", "b", "bcd", None)]
    second = [("2024-01-02", value) for value in ("whole", "a")]
    assert found.keys() == {(*place, column) for place in first + second for column in (":table", "x", "shop")}
    row = found["2024-01-01", "a", "x"]
    assert (row["log_type"], row["granularity"], row["slice_key"], row["model_id"]) == (
        "INPUT",
        "1 day",
        "shop",
        "7",
    )
    assert [str(row["window"][edge]) for edge in ("start", "end")] == [
        "2024-01-01 00:00:00",
        "2024-01-02 00:00:00",
    ]


def test_numbers(found: Found) -> None:
    row = found["2024-01-01", "whole", "x"].asDict()
    expected = {
        "data_type": "double", "count": 7, "num_nulls": 1, "num_nan": 1, "num_zeros": 1,
        "avg": 3.4, "min": 0.0, "max": 9.0, "median": 3.0, "distinct_count": 5, "min_length": None,
        "max_length": None, "avg_length": None, "frequent_items": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["stddev"] == pytest.approx(3.5071356, abs=1e-6)
    assert len(row["quantiles"]) == 21 and (row["quantiles"][0], row["quantiles"][20]) == (0.0, 9.0)
    shares = [row[name] for name in ("percent_null", "percent_nan", "percent_zeros", "percent_distinct")]
    assert shares == pytest.approx([100 / 7, 100 / 7, 100 / 7, 500 / 7])
    # Below 0; 0 and 1; 3 and 4; above 4; null and NaN.
    assert row["bin_counts"] == [0, 2, 2, 1, 2]
    assert found["2024-01-02", "whole", "x"]["bin_counts"] == [1, 0, 0, 0, 0]


def test_texts(found: Found) -> None:
    row = found["2024-01-01", "whole", "shop"].asDict()
    expected = {
        "data_type": "string", "count": 7, "num_nulls": 1, "min_length": 1.0,
        "max_length": 3.0, "distinct_count": 3, "avg": None, "min": None, "median": None,
        "percent_nan": None, "percent_zeros": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["avg_length"] == pytest.approx(8 / 6)
    assert [tuple(item) for item in row["frequent_items"]] == [("a", 4), ("b", 1), ("bcd", 1)]
    # a; b; any other; null.
    assert row["bin_counts"] == [4, 1, 1, 1]


def test_slices(found: Found) -> None:
    assert found["2024-01-01", "a", "x"]["count"] == 4
    assert found["2024-01-01", "a", "x"]["avg"] == 3.25
    assert found["2024-01-01", "a", ":table"]["count"] == 4
    assert found["2024-01-01", None, "x"]["num_nan"] == 1
    assert found["2024-01-01", "b", "x"]["percent_null"] == 100.0


def test_predictions_are_judged_where_the_outcome_is_known(found: Found) -> None:
    row = found["2024-01-01", "whole", ":table"]
    assert (row["count"], row["label_count"], row["data_type"], row["num_nulls"]) == (7, 3, None, None)
    # -(ln 0.9 + ln 0.4 + ln 0.9) / 3
    assert (row["accuracy_score"], row["log_loss"]) == pytest.approx((2 / 3, 0.3756706), abs=1e-6)
    assert row["roc_auc_score"] == 1.0
    assert found["2024-01-02", "whole", ":table"]["roc_auc_score"] is None


def test_numbers_that_were_predicted_are_judged_by_their_distance(spark: SparkSession) -> None:
    rows = [(1.0, 1.0, 2.0), (2.0, 4.0, 4.0), (3.0, None, 9.0)]
    plan = Plan(["x"], [], {"x": Bins(edges=(0.0,))}, None, "1 day", [], INPUT, "7", "regression")

    row = (
        profile(spark.createDataFrame(rows, "x double, _label double, prediction double"), plan)
        .filter("column_name = ':table'")
        .collect()[0]
    )

    names = ("mean_squared_error", "root_mean_squared_error", "mean_average_error", "r2_score", "label_count")
    assert [row[name] for name in names] == pytest.approx([0.5, 0.5**0.5, 0.5, 1 - 0.5 / 2.25, 2])
    assert row["window"] is None


def test_parts_of_the_rows_add_up(spark: SparkSession) -> None:
    """5,000 numbers and texts in four partitions: counts are exact, quantiles and distinct values nearly."""
    rows = spark.range(0, 5000, 1, 4).selectExpr("CAST(id AS double) AS x", "CAST(id % 7 AS string) AS kind")
    bins = {"x": Bins(edges=(0.0, 999.0, 4000.0)), "kind": Bins(values=("0", "1"))}
    plan = Plan(["x"], ["kind"], bins, None, "1 day", [], INPUT, "7", "regression")

    found = {row["column_name"]: row for row in profile(rows, plan).collect()}

    x, kind = found["x"], found["kind"]
    assert (x["count"], x["avg"], x["min"], x["max"]) == (5000, 2499.5, 0.0, 4999.0)
    assert x["stddev"] == pytest.approx(1443.520003, abs=1e-6)
    # Under 0; below 999; from there to 4000; over; missing.
    assert x["bin_counts"] == [0, 999, 3002, 999, 0]
    assert x["quantiles"] == pytest.approx([250 * step for step in range(21)], abs=25)
    assert x["distinct_count"] == pytest.approx(5000, rel=0.2)
    assert [tuple(item) for item in kind["frequent_items"]] == [(str(i), 715 if i < 2 else 714) for i in range(7)]
    assert (kind["distinct_count"], kind["bin_counts"]) == (7, [715, 715, 3570, 0])
