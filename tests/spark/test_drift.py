"""Each window is compared with the training set and the window before; what cannot be compared is unknown."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakeloop.config.monitoring import Thresholds
from lakeloop.monitoring.bins import cut
from lakeloop.monitoring.drift import METRICS, SCHEMA, drift
from lakeloop.monitoring.profile import BASELINE, INPUT, Plan, profile
from lakeloop.monitoring.tables import status

CONTRACT = [
    "window", "window_cmp", "drift_type", "granularity", "slice_key", "slice_value", "column_name",
    "data_type", "count_delta", "avg_delta", "percent_null_delta", "percent_zeros_delta",
    "percent_distinct_delta", "non_null_columns_delta", "js_distance", "ks_test", "wasserstein_distance",
    "population_stability_index", "chi_squared_test", "tv_distance", "l_infinity_distance",
]  # fmt: skip
DISTANCES = METRICS.fieldNames()
MINIMUM = 10
DAY = datetime(2024, 1, 1, tzinfo=timezone.utc)
COLUMNS = "at timestamp, x double, shop string"

Rows = list[tuple[datetime, float | None, str]]
Found = dict[tuple[int, str, str], Row]


def day(number: int, values: list[float | None], shops: str) -> Rows:
    """Rows of the day of that number."""
    return [(DAY + timedelta(days=number), x, shop) for x, shop in zip(values, shops, strict=True)]


USUAL: list[float | None] = [float(number) for number in range(20)]
TRAINING = day(-9, USUAL, "ab" * 10)
WINDOWS = [
    *day(0, USUAL, "ab" * 10),
    *day(1, [None] * 20, "ab" * 10),
    *day(2, USUAL, "new!" * 5),
    *day(3, USUAL[:9], "ab" * 4 + "a"),
    *day(5, [x + 1000 if x is not None else None for x in USUAL], "ab" * 10),
]


def day_of(row: Row) -> int:
    """The number of the day that is the row's window."""
    days: int = (row["window"]["start"] - DAY.replace(tzinfo=None)).days
    return days


@pytest.fixture(scope="module")
def drifts(spark: SparkSession) -> DataFrame:
    training = spark.createDataFrame(TRAINING, COLUMNS)
    bins = cut(pd.DataFrame(TRAINING, columns=["at", "x", "shop"]), ["x"], ["shop"])
    # A column that the training set did not have.
    cuts = {**bins, "late": bins["x"]}
    baseline = Plan(["x"], ["shop"], bins, None, "1 day", [], BASELINE, "7", "binary")
    windows = Plan(["x", "late"], ["shop"], cuts, "at", "1 day", [], INPUT, "7", "binary")
    seen = spark.createDataFrame(WINDOWS, COLUMNS).withColumn("late", F.col("x"))
    profiles = profile(training, baseline).unionByName(profile(seen, windows))
    return drift(profiles, bins, MINIMUM).cache()


@pytest.fixture(scope="module")
def found(drifts: DataFrame) -> Found:
    """The drift of each day, by kind of comparison and column."""
    rows = drifts.collect()
    keyed = {(day_of(row), row["drift_type"], row["column_name"]): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def test_the_column_names_are_the_contract(drifts: DataFrame) -> None:
    assert drifts.schema.simpleString() == SCHEMA.simpleString()
    assert [name for name in SCHEMA.fieldNames() if name not in ("model_id", "rows")] == CONTRACT


def test_every_window_is_compared_with_the_training_set_and_the_one_before(found: Found) -> None:
    columns = {":table", "x", "shop", "late"}
    baseline = {(number, "BASELINE", name) for number in (0, 1, 2, 3, 5) for name in columns}
    # Day 5 has no day before it.
    consecutive = {(number, "CONSECUTIVE", name) for number in (1, 2, 3) for name in columns}
    assert found.keys() == baseline | consecutive
    row = found[1, "CONSECUTIVE", "x"]
    assert row["window_cmp"]["end"] == row["window"]["start"]
    assert found[1, "BASELINE", "x"]["window_cmp"] is None


def test_the_same_rows_do_not_drift(found: Found) -> None:
    number, text = found[0, "BASELINE", "x"], found[0, "BASELINE", "shop"]
    for row in (number, text):
        for name in (
            "js_distance",
            "population_stability_index",
            "tv_distance",
            "l_infinity_distance",
            "avg_delta",
        ):
            assert row[name] in (None, pytest.approx(0, abs=1e-9)), name
        assert row["count_delta"] == row["percent_null_delta"] == 0
    assert (number["ks_test"]["statistic"], number["wasserstein_distance"]) == (0.0, 0.0)
    assert number["js_distance"] is not None and number["chi_squared_test"] is None
    assert text["js_distance"] is not None and (text["ks_test"], text["wasserstein_distance"]) == (None, None)
    assert text["chi_squared_test"]["pvalue"] == pytest.approx(1)


def test_a_column_that_goes_null_shows(found: Found) -> None:
    row = found[1, "BASELINE", "x"]
    assert row["percent_null_delta"] == 100.0
    assert row["tv_distance"] == pytest.approx(1.0)
    assert row["population_stability_index"] > 1
    assert found[1, "BASELINE", ":table"]["non_null_columns_delta"].asDict() == {
        "added": [],
        "missing": ["x"],
    }
    assert found[2, "CONSECUTIVE", ":table"]["non_null_columns_delta"].asDict() == {
        "added": ["late", "x"],
        "missing": [],
    }
    assert found[1, "BASELINE", "x"]["non_null_columns_delta"] is None


def test_a_category_never_seen_shows(found: Found) -> None:
    row = found[2, "BASELINE", "shop"]
    assert row["tv_distance"] == pytest.approx(1.0)
    assert row["population_stability_index"] > 1
    assert row["chi_squared_test"]["pvalue"] < 0.001


def test_values_beyond_all_that_was_seen_show(found: Found) -> None:
    row = found[5, "BASELINE", "x"]
    assert (row["avg_delta"], row["ks_test"]["statistic"]) == (1000.0, pytest.approx(1.0))
    assert row["ks_test"]["pvalue"] < 0.001
    assert row["population_stability_index"] > 1


@pytest.mark.parametrize(
    "place",
    [(3, "BASELINE", "x"), (3, "CONSECUTIVE", "shop"), (0, "BASELINE", "late"), (0, "BASELINE", ":table")],
    ids=["few rows", "few rows in the window", "nothing to compare with", "the table itself"],
)
def test_what_cannot_be_compared_is_unknown(found: Found, place: tuple[int, str, str]) -> None:
    assert [found[place][name] for name in DISTANCES] == [None] * len(DISTANCES)


def test_status_is_drift_ok_or_unknown(drifts: DataFrame) -> None:
    thresholds = Thresholds(population_stability_index=0.2, ks_statistic=0.3)

    found = status(drifts, thresholds)

    assert found.columns == [
        "window", "slice_key", "slice_value", "model_id", "column_name", "metric", "value", "threshold",
        "status",
    ]  # fmt: skip
    said = {(day_of(row), row["column_name"], row["metric"]): row["status"] for row in found.collect()}
    psi, ks = "population_stability_index", "ks_test.statistic"
    assert said == {
        (0, "x", psi): "ok", (0, "x", ks): "ok", (0, "shop", psi): "ok",
        (1, "x", psi): "drift", (1, "x", ks): "unknown", (1, "shop", psi): "ok",
        (2, "x", psi): "ok", (2, "x", ks): "ok", (2, "shop", psi): "drift",
        (3, "x", psi): "unknown", (3, "x", ks): "unknown", (3, "shop", psi): "unknown",
        (5, "x", psi): "drift", (5, "x", ks): "drift", (5, "shop", psi): "ok",
        **{(number, "late", metric): "unknown" for number in (0, 1, 2, 3, 5) for metric in (psi, ks)},
    }  # fmt: skip


def test_a_value_at_its_threshold_is_drift(spark: SparkSession) -> None:
    rows = [("a", 0.2), ("b", 0.1999), ("c", None)]
    frame = spark.createDataFrame(rows, "column_name string, population_stability_index double").selectExpr(
        "CAST(NULL AS struct<start: timestamp, end: timestamp>) AS window", "'BASELINE' AS drift_type",
        "'' AS slice_key", "'' AS slice_value", "'7' AS model_id", "column_name", "'double' AS data_type",
        "population_stability_index", "0.0D AS js_distance", "0.0D AS tv_distance",
        "named_struct('statistic', 0.0D, 'pvalue', 1.0D) AS ks_test",
    )  # fmt: skip

    found = status(frame, Thresholds())

    assert [tuple(row) for row in found.select("column_name", "value", "threshold", "status").collect()] == [
        ("a", 0.2, 0.2, "drift"), ("b", 0.1999, 0.2, "ok"), ("c", None, 0.2, "unknown"),
    ]  # fmt: skip
    assert status(frame, Thresholds(population_stability_index=None)).count() == 0
