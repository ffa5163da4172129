"""Events become one row an entity and step, dated by the end of the step in which they became known."""

from __future__ import annotations

from datetime import datetime, timezone

from pyspark.sql import SparkSession

from lakeloop.config.features import FeatureGroup
from lakeloop.features.tiles import tiles

GROUP = FeatureGroup.model_validate({
    "entity": "shop",
    "from": "silver.sales",
    "where": "x IS NULL OR x >= 0",
    "time": "sold_at",
    "known_after": "1 hour",
    "resolution": "1 hour",
    "windows": ["1 day"],
    "measures": {"mean": "avg(x)", "n": "count(*)", "most": "max(x)", "spread": "stddev(x)"},
})  # fmt: skip


def at(hour: int, minute: int = 0, micros: int = 0) -> datetime:
    return datetime(2024, 1, 1, hour, minute, 0, micros, timezone.utc)


def test_tiles(spark: SparkSession) -> None:
    events = [
        ("a", at(21, 0, 1), 2.0),
        ("a", at(22), 4.0),
        ("a", at(21, 30), None),
        ("a", at(21, 30), float("nan")),
        ("a", at(22, 0, 1), 1.0),
        ("a", at(21, 30), -1.0),
        ("b", at(21, 30), None),
        (None, at(21), 1.0),
        ("b", None, 1.0),
    ]

    found = tiles(spark.createDataFrame(events, "shop string, sold_at timestamp, x double"), GROUP)

    assert found.columns == [
        "shop", "known_at", "known_date", "mean__sum", "mean__count", "n__count", "most__max", "spread__sum",
        "spread__count", "spread__squares",
    ]  # fmt: skip
    rows = found.withColumns({"known_at": found.known_at.cast("string"), "known_date": found.known_date.cast("string")})
    assert [tuple(row) for row in rows.orderBy("shop", "known_at").collect()] == [
        ("a", "2024-01-01 23:00:00", "2024-01-01", 6.0, 2, 4, 4.0, 6.0, 2, 20.0),
        ("a", "2024-01-02 00:00:00", "2024-01-02", 1.0, 1, 1, 1.0, 1.0, 1, 1.0),
        ("b", "2024-01-01 23:00:00", "2024-01-01", None, 0, 1, None, None, 0, None),
    ]


def test_what_is_known_after_the_last_day_there_is_has_no_tile(spark: SparkSession) -> None:
    events = spark.sql(
        "SELECT 'a' AS shop, 1.0D AS x, timestamp(text) AS sold_at"
        " FROM VALUES ('9999-12-30 20:00:00'), ('9999-12-31 22:00:00'), ('+12000-01-01 00:00:00') AS t(text)"
    )
    assert [tuple(row) for row in tiles(events, GROUP).selectExpr("string(known_at)", "n__count").collect()] == [
        ("9999-12-30 21:00:00", 1)
    ]


def test_an_entity_may_be_named_like_a_partial_result(spark: SparkSession) -> None:
    events = spark.createDataFrame([("a", at(21), 1.0)], "shop__sum string, sold_at timestamp, x double")
    found = tiles(events, GROUP.model_copy(update={"entity": ["shop__sum"]}))
    assert found.columns[:4] == ["shop__sum", "known_at", "known_date", "mean__sum"]
    assert found.count() == 1
