"""A lag is the measure at exactly so long before the row's time, where it is known by then."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pyspark.sql import SparkSession

from lakeloop.config.features import FeatureGroup
from lakeloop.features.tiles import tiles
from lakeloop.features.windows import as_of

START = datetime(2024, 3, 1, tzinfo=timezone.utc)
GROUP = FeatureGroup.model_validate({
    "entity": "shop", "from": "silver.sales", "time": "at", "known_after": "2 hours", "resolution": "1 hour",
    "lags": ["2 hours", "1 day"], "windows": ["1 day"], "measures": {"sold": "sum(x)", "most": "max(x)"},
})  # fmt: skip


def test_lags(spark: SparkSession) -> None:
    hours = [(0, "a", 1.0), (21, "a", 2.0), (22, "a", 4.0), (22, "a", 8.0), (24, "a", 16.0), (22, "b", 32.0)]
    events = spark.createDataFrame([(START + timedelta(hours=hour), *rest) for hour, *rest in hours],
        "at timestamp, shop string, x double")  # fmt: skip
    rows = [(1, "a", START + timedelta(hours=24)), (2, "a", START + timedelta(hours=26)), (3, "b", START)]
    spine = spark.createDataFrame(rows, "id int, shop string, at timestamp")

    found = as_of(spine, "at", [("g", GROUP, tiles(events, GROUP))]).orderBy("id")

    assert found.columns[3:] == [
        "g_sold_1d", "g_most_1d", "g_sold_lag_2h", "g_most_lag_2h", "g_sold_lag_1d", "g_most_lag_1d",
    ]  # fmt: skip
    assert [tuple(row)[3:] for row in found.collect()] == [
        # A day before was the first event; two hours before were two.
        (15.0, 8.0, 12.0, 8.0, 1.0, 1.0),
        # The first event has left the day's window, for it became known two hours after; that of hour 24 is in it.
        (30.0, 16.0, 16.0, 16.0, None, None),
        (None, None, None, None, None, None),
    ]


def test_without_an_entity_all_events_are_of_one(spark: SparkSession) -> None:
    hours = [(0, "a", 1.0), (22, "a", 4.0), (22, "b", 32.0)]
    events = spark.createDataFrame([(START + timedelta(hours=hour), *rest) for hour, *rest in hours],
        "at timestamp, shop string, x double")  # fmt: skip
    spine = spark.createDataFrame([(1, START + timedelta(hours=24))], "id int, at timestamp")
    group = GROUP.model_copy(update={"entity": []})

    [row] = as_of(spine, "at", [("g", group, tiles(events, group))]).collect()

    assert (row["g_sold_lag_2h"], row["g_most_lag_2h"], row["g_sold_lag_1d"]) == (36.0, 32.0, 1.0)
