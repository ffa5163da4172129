"""A change data feed comes to the rows as they are now, and the keys that are gone."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import SparkSession

from lakeloop.change_feed import net_changes

AT = datetime(2024, 1, 1)
SCHEMA = "id int, x int, _change_type string, _commit_version long, _commit_timestamp timestamp"


def test_net_changes(spark: SparkSession) -> None:
    feed = [
        (1, 10, "insert", 1),
        (2, 20, "update_preimage", 1),
        (2, 21, "update_postimage", 1),
        (2, 21, "update_preimage", 2),
        (2, 22, "update_postimage", 2),
        (3, 30, "delete", 2),
        # Comes and goes; goes and comes; is replaced in one commit; null is a key like any other.
        (4, 40, "insert", 1),
        (4, 40, "delete", 3),
        (5, 50, "delete", 1),
        (5, 51, "insert", 2),
        (6, 60, "delete", 2),
        (6, 61, "insert", 2),
        (None, 70, "delete", 1),
    ]
    changes = spark.createDataFrame([(*row, AT) for row in feed], SCHEMA)

    rows, gone = net_changes(changes, ["id"])

    assert sorted(tuple(row) for row in rows.collect()) == [(1, 10), (2, 22), (5, 51), (6, 61)]
    assert rows.columns == ["id", "x"]
    assert {row["id"] for row in gone.collect()} == {3, 4, None}
