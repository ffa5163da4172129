"""What is read for some slices holds every row that touches them, whatever the clocks do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakeloop.config.features import FeatureGroup
from lakeloop.features.tiles import known_on
from lakeloop.literals import is_in
from lakeloop.monitoring.tables import windows
from lakeloop.slices import DaysAround, Near


def known(known_after: str, resolution: str) -> Near:
    group = {
        "entity": "shop", "from": "silver.sales", "time": "at", "known_after": known_after, "resolution": resolution,
        "windows": ["1 day"], "measures": {"n": "count(*)"},
    }  # fmt: skip
    return known_on(FeatureGroup.model_validate(group))


@pytest.fixture
def new_york(spark: SparkSession) -> Iterator[SparkSession]:
    """A session where a day has 23 hours in March and 25 in November."""
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    yield spark
    spark.conf.set("spark.sql.session.timeZone", str(zone))


@pytest.mark.parametrize(
    "touched",
    [
        Near("to_date(at)", "at"),
        DaysAround("at", before=1, after=2),
        known("0 seconds", "1 hour"),
        known("26 hours", "1 hour"),
        known("1 hour", "1 day"),
        windows("at", "1 day"),
        windows("at", "1 month"),
        windows("at", "1 week", ahead=90 * 3600),
    ],
)
def test_rows_that_touch_a_slice_are_near_it(new_york: SparkSession, touched: Near | DaysAround) -> None:
    around = isinstance(touched, DaysAround)
    expression, near = (touched.slices(), touched.touching) if around else (touched.expression, touched.near)
    times = "explode(sequence(timestamp'2024-03-07', timestamp'2024-03-13', interval 20 minutes))"
    more = times.replace("2024-03", "2024-11")
    rows = new_york.sql(f"SELECT {times} AS at UNION ALL SELECT {more}")
    pairs = rows.select("at", F.expr(expression).alias("slice"))
    if pairs.schema["slice"].dataType.typeName() == "array":
        pairs = pairs.select("at", F.explode("slice").alias("slice"))
    slices = [row["slice"] for row in pairs.select("slice").distinct().collect()]
    missed = " OR ".join(f"{is_in('slice', [value])} AND NOT ({near([value])})" for value in slices)

    assert pairs.filter(missed).collect() == []
    assert not rows.filter(f"NOT ({near(slices[:1])})").isEmpty()
