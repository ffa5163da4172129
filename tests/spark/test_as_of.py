"""A row's features are what its window holds of what was known by then: plain counting agrees."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakeloop.config.features import FeatureGroup
from lakeloop.features.tiles import tiles
from lakeloop.features.windows import as_of

START = datetime(2024, 3, 30, 22, tzinfo=timezone.utc)
STEP, KNOWN_AFTER = 15 * 60, 40 * 60
WINDOWS = {"1h": 3600, "6h": 6 * 3600, "1d": 86_400}
GROUP = FeatureGroup.model_validate({
    "entity": ["shop", "till"],
    "from": "silver.sales",
    "where": "kind <> 'test'",
    "time": "sold_at",
    "known_after": "40 minutes",
    "resolution": "15 minutes",
    "windows": ["1 hour", "6 hours", "1 day"],
    "measures": {
        "mean": "avg(x)", "total": "sum(x)", "n": "count(x)", "events": "count(*)", "least": "min(x)",
        "most": "max(x)", "spread": "stddev(x)", "large_share": "avg(x > 50)",
    },
})  # fmt: skip

NAMES = [f"g_{measure}_{window}" for window in WINDOWS for measure in GROUP.measures]

Event = tuple[str | None, int | None, datetime | None, float | None, str]
SPINE = "id int, shop string, till int, at timestamp"


def events(seed: int = 7, count: int = 400) -> list[Event]:
    """A day of sales at a few tills; some have no value, no time, no till, or are tests."""
    chance = random.Random(seed)
    found: list[Event] = []
    for _ in range(count):
        # Some fall on the very end of a step.
        at = START + timedelta(seconds=chance.choice([900 * chance.randrange(96), chance.randrange(86_400)]))
        value = chance.choice([None, math.nan, *[float(chance.randrange(100))] * 8])
        kind = chance.choice(["sale", "sale", "sale", "test"])
        found.append((chance.choice("ab"), chance.choice([1, 2]), at, value, kind))
    return [
        *found,
        (None, 1, START, 5.0, "sale"),
        ("a", None, START, 5.0, "sale"),
        ("a", 1, None, 5.0, "sale"),
    ]


def spine(seed: int = 8, count: int = 60) -> list[tuple[int, str | None, int | None, datetime | None]]:
    """Rows to predict: at any time and at ends of steps; some without events, entity or time."""
    chance = random.Random(seed)
    rows: list[tuple[int, str | None, int | None, datetime | None]] = []
    for number in range(count):
        at = START + timedelta(seconds=chance.choice([900 * chance.randrange(130), chance.randrange(118_000)]))
        rows.append((number, chance.choice("ab"), chance.choice([1, 2, 3]), at))
    again = (count, *rows[0][1:])
    return [*rows, again, (count + 1, None, 1, START), (count + 2, "a", 1, None), (count + 3, "a", 1, START)]


def features(spark: SparkSession, given: Sequence[Event], rows: Sequence[tuple[Any, ...]]) -> DataFrame:
    schema = "shop string, till int, sold_at timestamp, x double, kind string"
    frame = spark.createDataFrame(list(given), schema)
    return as_of(spark.createDataFrame(list(rows), SPINE), "at", [("g", GROUP, tiles(frame, GROUP))])


def known_at(sold_at: datetime) -> float:
    """When a sale may be used: 40 minutes later, rounded up to a quarter of an hour."""
    return math.ceil((sold_at.timestamp() + KNOWN_AFTER) / STEP) * STEP


def counted(given: Sequence[Event], shop: str, till: int, at: datetime, window: int) -> list[float | None]:
    """The eight measures of one window, event by event."""
    moment = math.floor(at.timestamp() / STEP) * STEP
    inside = [
        x
        for event_shop, event_till, sold_at, x, kind in given
        if (event_shop, event_till) == (shop, till) and sold_at is not None and kind != "test"
        and moment - window < known_at(sold_at) <= moment
    ]  # fmt: skip
    values = [x for x in inside if x is not None and not math.isnan(x)]
    # NaN is greater than any number in Spark, so that it counts as large; a number is what it has not.
    large = [float(math.isnan(x) or x > 50) for x in inside if x is not None]
    return [
        statistics.fmean(values) if values else None,
        sum(values) if values else None,
        sum(x is not None for x in inside),
        len(inside),
        min(values, default=None),
        max(values, default=None),
        statistics.stdev(values) if len(values) > 1 else None,
        statistics.fmean(large) if large else None,
    ]


def test_features_equal_plain_counting(spark: SparkSession) -> None:
    given, rows = events(), spine()

    frame = features(spark, given, rows)

    assert frame.columns == ["id", "shop", "till", "at", *NAMES]
    found = {row["id"]: tuple(row[name] for name in NAMES) for row in frame.collect()}
    expected = {}
    for number, shop, till, at in rows:
        if shop is None or till is None or at is None:
            # Of nothing there is nothing but the count.
            expected[number] = tuple(0 if name.split("_")[1] in ("n", "events") else None for name in NAMES)
            continue
        expected[number] = tuple(
            value for length in WINDOWS.values() for value in counted(given, shop, till, at, length)
        )
    assert found.keys() == expected.keys()
    for number, values in expected.items():
        assert found[number] == pytest.approx(values, abs=1e-6), rows[number]
    # The stream is not so thin that all of this holds of nothing.
    full = sum(values[NAMES.index("g_spread_1h")] is not None for values in expected.values())
    assert full > 5


def test_no_row_of_the_spine_is_added_or_lost(spark: SparkSession) -> None:
    rows = spine(count=10)

    frame = features(spark, events(count=20), rows)

    assert sorted(row["id"] for row in frame.select("id").collect()) == [row[0] for row in rows]


def test_what_became_known_later_changes_no_feature(spark: SparkSession) -> None:
    given = events()
    at = START + timedelta(hours=15, minutes=7)
    rows = [(1, "a", 1, at), (2, "a", 2, at), (3, "b", 1, at), (4, "b", 2, at)]
    known = [event for event in given if event[2] is not None and known_at(event[2]) <= at.timestamp()]
    later = [event for event in given if event[2] is not None and known_at(event[2]) > at.timestamp()]
    assert len(known) > 100 and any(event[2] < at for event in later if event[2] is not None)
    other = [(shop, till, time, 1e6, "sale") for shop, till, time, _, _ in later[::2]]

    before = features(spark, known + later, rows).orderBy("id").collect()
    after = features(spark, known + other, rows).orderBy("id").collect()

    assert after == before
    assert before[0]["g_n_1d"] > 0


def test_known_after_and_resolution(spark: SparkSession) -> None:
    given: list[Event] = [("a", 1, START + timedelta(minutes=1), 5.0, "sale")]
    # Just before it is known, known, in the window's last minute, out of the window.
    minutes = (44, 45, 104, 105)

    frame = features(spark, given, [(m, "a", 1, START + timedelta(minutes=m)) for m in minutes])

    found = frame.select("id", "g_n_1h", "g_total_1h", "g_n_1d").orderBy("id").collect()
    assert [tuple(row) for row in found] == [
        (44, 0, None, 0),
        (45, 1, 5.0, 1),
        (104, 1, 5.0, 1),
        (105, 0, None, 1),
    ]


def test_a_window_reaches_over_the_spans_that_an_entity_is_cut_into(spark: SparkSession) -> None:
    group = FeatureGroup.model_validate({
        "entity": "shop", "from": "silver.sales", "time": "sold_at", "windows": ["20 days"],
        "measures": {"n": "count(*)", "total": "sum(x)", "most": "max(x)"},
    })  # fmt: skip
    days = [START + timedelta(days=day) for day in range(200)]
    sales = spark.createDataFrame(
        [("a", day, float(i)) for i, day in enumerate(days)], "shop string, sold_at timestamp, x double"
    )
    rows = spark.createDataFrame([(i, "a", day) for i, day in enumerate(days)], "id int, shop string, at timestamp")
    found = as_of(rows, "at", [("g", group, tiles(sales, group))]).orderBy("id").collect()
    expected = [range(max(0, i - 19), i + 1) for i in range(200)]
    assert [(row["g_n_20d"], row["g_total_20d"], row["g_most_20d"]) for row in found] == [
        (len(inside), sum(inside), max(inside)) for inside in expected
    ]
