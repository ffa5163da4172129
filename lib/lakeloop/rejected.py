"""Rejected files: raw files that could not be read, each with the reason, kept in one table for all sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.sifting import Unreadable
from lakeloop.tables import Lakehouse, Table

REJECTED = Table("governance", "rejected_files")
SCHEMA = (
    "source string, file string, modified_at timestamp, bytes bigint, rows_read bigint, reason string, run string, "
    "rejected_at timestamp"
)


@dataclass(frozen=True)
class RejectedFile:
    """A line of the table. ``rows_read`` is how many rows could be read before the place where the file breaks, None
    where that is not known."""

    source: str
    file: str
    modified_at: datetime
    bytes: int
    rows_read: int | None
    reason: str
    run: str
    rejected_at: datetime


def record(lakehouse: Lakehouse, source: str, found: Sequence[Unreadable], run: str, now: datetime) -> None:
    """Adds the files that are not yet in the table as they are now: a batch that is tried again records none twice."""
    rows = [
        RejectedFile(source, bad.file.path, bad.file.modified_at, bad.file.bytes, bad.rows_read, bad.reason, run, now)
        for bad in found
    ]
    exists = lakehouse.latest(REJECTED) is not None
    if exists:
        there = {(row.file, row.modified_at) for row in of_source(lakehouse, source)}
        rows = [row for row in rows if (row.file, row.modified_at) not in there]
    if not rows:
        return
    frame = lakehouse.spark.createDataFrame([astuple(row) for row in rows], SCHEMA).coalesce(1)
    progress = {"run": run}
    if not exists:
        try:
            lakehouse.create(REJECTED, frame, progress, {"delta.appendOnly": "true"})
            return
        except PySparkException:
            # Another source, which is read at the same time, may have made the table meanwhile.
            if lakehouse.latest(REJECTED) is None:
                raise
    lakehouse.append(REJECTED, frame, progress)


def of_source(lakehouse: Lakehouse, source: str, run: str | None = None) -> list[RejectedFile]:
    """A source's rejected files, or those that one run recorded, in the order of their names; none where there is no
    table."""
    latest = lakehouse.latest(REJECTED)
    if latest is None or (run is not None and (latest.progress or {}).get("run") != run):
        return []
    rows = lakehouse.read(REJECTED).filter(F.col("source") == source)
    if run is not None:
        rows = rows.filter(F.col("run") == run)
    return [RejectedFile(**row.asDict()) for row in rows.orderBy("file", "rejected_at").collect()]


def rows_of_source(lakehouse: Lakehouse, source: str) -> DataFrame:
    """A source's rejected files as rows; none where there is no table. Columns as in SCHEMA."""
    if lakehouse.latest(REJECTED) is None:
        return lakehouse.spark.createDataFrame([], SCHEMA)
    return lakehouse.read(REJECTED).filter(F.col("source") == source)


def told(files: Sequence[tuple[str, str]]) -> str:
    """How many files (name and reason) were rejected, and the first of them, in few words; nothing where there is
    none."""
    if not files:
        return ""
    name, reason = files[0]
    many = f"{len(files)} files" if len(files) > 1 else "1 file"
    return f"{many} rejected: {name.rpartition('/')[2]} ({reason})" + (" and others" if len(files) > 1 else "")


__all__ = ["REJECTED", "SCHEMA", "RejectedFile", "of_source", "record", "rows_of_source", "told"]
