"""Maintenance by policy: small files become few, old ones go, and what incremental reads need stays.

No row changes, so the tables that are made from these find nothing new (see Commit.changes_rows), and each commit
carries the table's progress forward, for the log forgets old commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from pyspark.errors import PySparkException
from rich.console import Console
from rich.table import Table as Grid

from lakeloop import skipping
from lakeloop.config import Settings, intervals, sizes
from lakeloop.config.loading import PIPELINE_FILE
from lakeloop.config.maintenance import Maintenance
from lakeloop.errors import ConfigurationError, Problem
from lakeloop.failures import explaining
from lakeloop.governance.ledger import LEDGER
from lakeloop.status import known_tables
from lakeloop.tables import Lakehouse, Table

# What Delta compacts: files that are smaller than this.
_SMALL = "spark.databricks.delta.optimize.minFileSize"


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: its files and their bytes, and how much of what no version needs any more was removed
    (``freed`` bytes; None where the lakehouse does not tell)."""

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    removed: int | None
    freed: int | None

    @property
    def compacted(self) -> bool:
        return self.files_after < self.files_before


def maintained(
    lakehouse: Lakehouse, run_id: str, working: Callable[[str], object] = lambda table: None
) -> Iterator[Maintained]:
    """Maintains every table that is there, one after the other; ``working`` is told which is next."""
    for table in [*known_tables(lakehouse.settings), LEDGER]:
        if lakehouse.latest(table) is not None:
            working(str(table))
            work = partial(maintain, lakehouse, table, lakehouse.settings.pipeline.maintenance, run_id)
            yield explaining("maintain", str(table), work)


def maintain(lakehouse: Lakehouse, table: Table, policy: Maintenance, run_id: str) -> Maintained:
    """Compacts one table where it has too many small files, and removes files that no version within the retention
    needs."""
    known = lakehouse.last_progress(table)
    assert known is not None
    progress = {**known[1], "run": known[1].get("run", run_id)}
    before = after = lakehouse.detail(table)
    wanted = {**retention_properties(policy), **_statistics(lakehouse, table, policy, before.properties)}
    if {name: before.properties.get(name) for name in wanted} != wanted:
        pairs = ", ".join(f"'{name}' = '{value}'" for name, value in wanted.items())
        lakehouse.command(table, f"ALTER TABLE {{table}} SET TBLPROPERTIES ({pairs})", progress)
    size = sizes.in_bytes(policy.compact_below)
    if before.files >= policy.small_files and lakehouse.files_below(table, size) >= policy.small_files:
        with _setting(lakehouse, _SMALL, size):
            _compact(lakehouse, table, policy.z_order.get(str(table), ()), progress)
        after = lakehouse.detail(table)
    hours = intervals.seconds(policy.retention) // 3600
    removed, freed = vacuum(lakehouse, table, hours, progress)
    return Maintained(str(table), before.files, after.files, before.bytes, after.bytes, removed, freed)


def retention_properties(policy: Maintenance) -> Mapping[str, str]:
    """Delta's own properties: so long are removed files kept, and so long the log."""
    length = f"interval {intervals.seconds(policy.retention) // 86_400} days"
    return {"delta.deletedFileRetentionDuration": length, "delta.logRetentionDuration": length}


def _statistics(
    lakehouse: Lakehouse, table: Table, policy: Maintenance, properties: Mapping[str, str]
) -> Mapping[str, str]:
    """The table's columns with statistics, and dates, times and those that the policy names where they have none;
    nothing where Delta chooses the columns. ConfigurationError where it can keep none of one."""
    there = properties.get(skipping.PROPERTY)
    if not there:
        return {}
    schema = lakehouse.read(table).schema
    for column in policy.statistics.get(str(table), ()):
        if not skipping.able(schema, [column]):
            file = str(lakehouse.settings.folder / PIPELINE_FILE)
            expected = "columns that the table has, of numbers, texts, dates or times"
            raise ConfigurationError([Problem(file, f"maintenance.statistics.{table}", column, expected)])
    wanted = skipping.columns(schema, policy.looked_up_by(str(table)))
    return {skipping.PROPERTY: skipping.value([*there.split(","), *wanted])}


def vacuum(
    lakehouse: Lakehouse, table: Table, hours: int, progress: Mapping[str, object]
) -> tuple[int | None, int | None]:
    """Removes files that no version of the last ``hours`` needs; how many and their bytes, None where the table's
    history does not tell."""
    before = lakehouse.latest(table)
    assert before is not None
    lakehouse.command(table, f"VACUUM {{table}} RETAIN {hours} HOURS", progress)
    for commit in lakehouse.commits_after(table, before.version):
        if commit.operation == "VACUUM START":
            return commit.metric("numFilesToDelete"), commit.metric("sizeOfDataToDelete")
    return None, None


def _compact(lakehouse: Lakehouse, table: Table, order: Sequence[str], progress: Mapping[str, object]) -> None:
    """Few files of many, their rows by ``order``; ConfigurationError where Delta cannot order by these columns."""
    by = f" ZORDER BY ({', '.join(f'`{column}`' for column in order)})" if order else ""
    try:
        lakehouse.command(table, f"OPTIMIZE {{table}}{by}", progress)
    except PySparkException as error:
        if "DELTA_ZORDERING" not in str(error):
            raise
        file = str(lakehouse.settings.folder / PIPELINE_FILE)
        expected = "columns that the table has and that Delta keeps statistics of: by default those of its first 32"
        found = ", ".join(order)
        raise ConfigurationError([Problem(file, f"maintenance.z_order.{table}", found, expected)]) from error


@contextmanager
def _setting(lakehouse: Lakehouse, name: str, value: int) -> Iterator[None]:
    """A setting of the session meanwhile; where the platform allows none, its own holds."""
    conf = lakehouse.spark.conf
    with ExitStack() as undo:
        with suppress(PySparkException):
            conf.set(name, str(value))
            undo.callback(conf.unset, name)
        yield


def show(console: Console, settings: Settings, found: Sequence[Maintained], quiet: bool) -> None:
    """Prints what was done to each table, and in all; with ``quiet`` only the latter."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in ("table", "files", "after", "size", "after", "files removed", "freed"):
        grid.add_column(title, justify="left" if title == "table" else "right", no_wrap=True)
    for item in found:
        grid.add_row(
            item.table,
            f"{item.files_before:,}",
            f"{item.files_after:,}",
            sizes.shown(item.bytes_before),
            sizes.shown(item.bytes_after),
            "" if item.removed is None else f"{item.removed:,}",
            "" if item.freed is None else sizes.shown(item.freed),
            style=None if item.compacted or item.freed else "dim",
        )
    if not quiet:
        console.print(grid)
    freed = sum(item.freed or 0 for item in found)
    console.print(
        f"{sum(item.compacted for item in found)} of {len(found)} tables were compacted; {sizes.shown(freed)} of files "
        f"older than {settings.pipeline.maintenance.retention} were removed."
    )
