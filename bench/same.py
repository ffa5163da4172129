"""Whether tables that were made in different ways hold the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


class Different(Exception):
    """A contestant computed something else, so its time says nothing."""


def check(table: str, ours: DataFrame, others: Mapping[str, DataFrame], columns: Sequence[str]) -> int:
    """Compares the rows of ``ours`` with those of each other, by these columns; returns their number. Different where
    they are not the same, with some rows that only one of them has."""
    mine = _alike(ours, ours, columns)
    expected = _fingerprint(mine)
    for name, rows in others.items():
        theirs = _alike(rows, ours, columns)
        if _fingerprint(theirs) != expected:
            raise Different(
                f"{table}: {name} has other rows than Lakeloop.\nonly in Lakeloop: {mine.exceptAll(theirs).take(3)}\n"
                f"only in {name}: {theirs.exceptAll(mine).take(3)}"
            )
    return expected[0]


def _alike(rows: DataFrame, model: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The columns, with the types that ``model`` has."""
    return rows.select(*[F.col(column).cast(model.schema[column].dataType) for column in columns])


def _fingerprint(rows: DataFrame) -> tuple[int, int]:
    """How many rows, and what their hashes add up to in whatever order."""
    total = F.sum(F.xxhash64(*rows.columns).cast("decimal(38, 0)"))
    row = rows.agg(F.count(F.lit(1)).alias("rows"), F.coalesce(total, F.lit(0)).alias("total")).collect()[0]
    return row["rows"], int(row["total"])
