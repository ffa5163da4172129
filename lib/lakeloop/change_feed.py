"""What changed in a table: its change data feed, and the counts of its commits."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from lakeloop.commits import Commit

CHANGE_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


def net_changes(changes: DataFrame, key: Sequence[str]) -> tuple[DataFrame, DataFrame]:
    """What a change data feed comes to: the rows as they are now, and the keys (columns ``key``) that are gone.

    A commit that deletes and inserts a key (replaceWhere) has changed it; the last commit of a key decides.
    """
    last = Window.partitionBy(*key)
    latest = changes.withColumn("_last", F.max("_commit_version").over(last)).filter("_commit_version = _last")
    there = F.col("_change_type").isin("insert", "update_postimage")
    rows = latest.filter(there).drop(*CHANGE_COLUMNS, "_last")
    gone = latest.groupBy(*key).agg(F.max(there).alias("_there")).filter("NOT _there").select(*key)
    return rows, gone


def changed_rows(commit: Commit) -> int:
    """How many rows a commit wrote or removed, from its operation metrics."""
    if commit.operation == "MERGE":
        return sum(commit.metric(f"numTargetRows{what}") for what in ("Inserted", "Updated", "Deleted"))
    if commit.operation in ("DELETE", "UPDATE"):
        return commit.metric("numDeletedRows") + commit.metric("numUpdatedRows")
    return commit.metric("numOutputRows") - commit.metric("numCopiedRows")
