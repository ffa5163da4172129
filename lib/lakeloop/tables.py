"""The only door to Delta: where a table is, what its commits say, and every way to read and write it.

Works on classic Spark and on Spark Connect: no DeltaTable, no sparkContext, SQL and data frames alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from lakeloop import merging
from lakeloop.commits import METADATA, Commit, in_folder, metadata, progress_in
from lakeloop.config import Settings
from lakeloop.literals import literal
from lakeloop.merging import GONE
from lakeloop.session import for_few_rows

_METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"

# Plain Delta that every reader opens: no feature that asks for a newer reader.
PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableDeletionVectors": "false",
}


_NO_TABLE = (
    "DELTA_TABLE_NOT_FOUND",
    "DELTA_MISSING_DELTA_TABLE",
    "DELTA_PATH_DOES_NOT_EXIST",
    "DELTA_TABLE_ONLY_OPERATION",
    "TABLE_OR_VIEW_NOT_FOUND",
    "PATH_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
)


_CONFLICT = re.compile(r"DELTA_CONCURRENT_|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|\bConcurrent\w+Exception")
_NO_FILE = ("FileNotFoundException", "FILE_NOT_EXIST", "DELTA_FILE_NOT_FOUND", "DELTA_CHANGE_DATA_FILE_NOT_FOUND")


# A table has a dot in its name; a folder is absolute here.
TABLE_NAME = re.compile(r"^\w+(\.\w+){1,2}$")


class Table(NamedTuple):
    """A table's name as configuration and SQL say it: ``silver.flights``."""

    layer: str
    name: str

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> Table:
        layer, _, name = text.partition(".")
        return cls(layer, name)


@dataclass(frozen=True)
class Detail:
    """A table's files: how many, their bytes; and its properties."""

    files: int
    bytes: int
    properties: Mapping[str, str]


class Lakehouse:
    """The tables of one use case in one environment."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.spark = spark
        self.settings = settings
        self._metadata_lock = Lock()
        self._few_rows_lock = Lock()
        self._few_rows: Lakehouse | None = None

    def for_few_rows(self) -> Lakehouse:
        """The same tables, for work on few rows: see session.for_few_rows."""
        with self._few_rows_lock:
            if self._few_rows is None:
                spark = for_few_rows(self.spark, self.settings)
                self._few_rows = self if spark is self.spark else Lakehouse(spark, self.settings)
            return self._few_rows

    def location(self, table: Table) -> str:
        """The table's folder or its catalog name."""
        return self.settings.resolve(self.settings.environment.tables, layer=table.layer, table=table.name)

    def identifier(self, table: Table) -> str:
        """What SQL calls the table: ``delta.`/path``` or ``catalog.schema.table``, quoted."""
        location = self.location(table)
        if self.settings.environment.tables_are_paths:
            return f"delta.`{location}`"
        return ".".join(f"`{part}`" for part in location.split("."))

    def latest(self, table: Table) -> Commit | None:
        """The table's newest commit, or None where there is no such table."""
        commits = self._history(table, limit=1)
        return commits[0] if commits else None

    def last_progress(self, table: Table) -> tuple[Commit, Mapping[str, object]] | None:
        """The newest commit and the newest progress (maintenance by others leaves commits without any)."""
        latest = self.latest(table)
        if latest is None:
            return None
        if latest.progress is not None:
            return latest, latest.progress
        for commit in self._history(table):
            if commit.progress is not None:
                return latest, commit.progress
        return latest, {}

    def commits_after(self, table: Table, version: int) -> list[Commit]:
        """The commits that are newer than ``version``, newest first."""
        return [commit for commit in self._history(table) if commit.version > version]

    def last_change(self, table: Table) -> int | None:
        """The newest version whose rows may be others than before, or None where there is no such table."""
        latest = self.latest(table)
        if latest is None or latest.changes_rows:
            return latest.version if latest else None
        commits = self._history(table)
        return next((commit.version for commit in commits if commit.changes_rows), commits[-1].version)

    def _history(self, table: Table, limit: int | None = None) -> list[Commit]:
        """Its commits, newest first. Spark on this machine and a table on its disk: the log is read there, at once."""
        here = self.settings.environment.local_master and self.settings.environment.tables_are_paths
        return (in_folder(Path(self.location(table)), limit) if here else []) or self._described(table, limit)

    def _described(self, table: Table, limit: int | None) -> list[Commit]:
        statement = f"DESCRIBE HISTORY {self.identifier(table)}" + (f" LIMIT {limit}" if limit else "")
        try:
            columns = ("version", "operation", "operationMetrics", "userMetadata", "timestamp")
            rows = self.spark.sql(statement).select(*columns).collect()
        except AnalysisException as error:
            if _no_such_table(error):
                return []
            raise
        return [
            Commit(
                row["version"],
                row["operation"],
                row["operationMetrics"] or {},
                progress_in(row["userMetadata"]),
                # Spark hands out local times without a zone.
                row["timestamp"].astimezone(timezone.utc),
            )
            for row in sorted(rows, key=lambda row: -row["version"])
        ]

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table, as of ``version`` where one is given."""
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        if self.settings.environment.tables_are_paths:
            return reader.load(self.location(table))
        return reader.table(self.identifier(table))

    def given(self, location: str, stream: bool = False, **options: object) -> DataFrame:
        """A Delta table of someone else, by its folder, its URI or its name (schema.table): its rows, or as a stream
        those that are new."""
        reader = self.spark.readStream if stream else self.spark.read
        reader = reader.format("delta").options(**options)  # type: ignore[assignment,arg-type]  # of either kind
        return reader.table(location) if TABLE_NAME.match(location) else reader.load(location)

    def changes(self, table: Table, after: int, upto: int) -> DataFrame:
        """The change data feed from the version behind ``after`` to ``upto``: the table's columns, `_change_type`
        (insert, delete, update_preimage, update_postimage), `_commit_version`, `_commit_timestamp`."""
        reader = self.spark.read.format("delta").option("readChangeFeed", "true")
        reader = reader.option("startingVersion", after + 1).option("endingVersion", upto)
        if self.settings.environment.tables_are_paths:
            return reader.load(self.location(table))
        return reader.table(self.identifier(table))

    def holds(self, table: Table, predicate: str) -> bool:
        """Whether a row of the table is one for which ``predicate`` holds."""
        return not self.read(table).filter(predicate).isEmpty()

    def greatest(self, table: Table, column: str) -> object:
        """The greatest value of a column (its dotted path), None where there is none."""
        return self.read(table).agg(F.max(column).alias("greatest")).collect()[0]["greatest"]

    def create(
        self,
        table: Table,
        rows: DataFrame,
        progress: Mapping[str, object],
        properties: Mapping[str, str] = MappingProxyType({}),
        after: int | None = None,
    ) -> None:
        """Writes the table's first version, or replaces all of it, schema included; for ``after`` see `append`."""
        writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        for key, value in {**PROPERTIES, **properties}.items():
            writer = writer.option(key, value)
        self._save(_marked(writer, progress, after), table)

    def _save(self, writer: DataFrameWriter, table: Table) -> None:
        if self.settings.environment.tables_are_paths:
            writer.save(self.location(table))
        else:
            writer.saveAsTable(self.identifier(table))

    def append(self, table: Table, rows: DataFrame, progress: Mapping[str, object], after: int | None = None) -> None:
        """Adds rows to a table that is there, and columns that it does not have. Where two write what follows version
        ``after`` of the table, as two runs at once would, one of them does: the other is refused, or does nothing."""
        writer = rows.write.format("delta").mode("append").option("mergeSchema", "true")
        self._save(_marked(writer, progress, after), table)

    def batch_writer(
        self, table: Table, progress: Mapping[str, object], application: str, **properties: str
    ) -> Callable[[DataFrame, int], None]:
        """A function for foreachBatch: adds a stream's batch, each number once, the table made first where there is
        none. It holds texts alone, for Spark Connect runs it on the server."""
        options = {**PROPERTIES, **properties, "userMetadata": metadata(progress), "txnAppId": application}
        path = self.location(table) if self.settings.environment.tables_are_paths else ""
        name = self.identifier(table)

        def write(rows: DataFrame, batch: int) -> None:
            writer = rows.write.format("delta").mode("append").options(**options).option("txnVersion", batch)
            if path:
                writer.save(path)
            else:
                writer.saveAsTable(name)

        return write

    def replace_where(
        self, table: Table, rows: DataFrame, predicate: str, progress: Mapping[str, object], after: int | None = None
    ) -> None:
        """Replaces the rows for which ``predicate`` holds; for ``after`` see `append`."""
        writer = rows.write.format("delta").mode("overwrite").option("replaceWhere", predicate)
        self._save(_marked(writer.option("mergeSchema", "true"), progress, after), table)

    def merge(
        self,
        table: Table,
        rows: DataFrame,
        key: Sequence[str],
        progress: Mapping[str, object],
        newest: Sequence[str] = (),
        deleted: DataFrame | None = None,
        told_by: Sequence[str] = (),
        twice: bool = False,
    ) -> None:
        """MERGE on ``key``: rows replace those of their key (with ``newest``, only where these columns, compared in
        order, are greater; with ``told_by``, only where one of these is another), new ones are added, keys in
        ``deleted`` and rows that are GONE are removed. One commit. Rows may be computed ``twice`` where they are few
        and always the same: the first time tells which files of the table can hold their keys."""
        source = rows if GONE in rows.columns else rows.withColumn(GONE, F.lit(False))
        if deleted is not None:
            gone = deleted.select(*key).withColumn(GONE, F.lit(True))
            source = source.unionByName(gone, allowMissingColumns=True)
        conditions = merging.within(source, key) if twice else []
        view = f"_lakeloop_merge_{table.layer}_{table.name}"
        source.createOrReplaceTempView(view)
        columns = [column for column in rows.columns if column != GONE]
        statement = merging.statement(self.identifier(table), view, columns, key, newest, told_by, conditions)
        try:
            with self._commit_metadata(progress):
                self.spark.sql(statement).collect()
        finally:
            self.spark.catalog.dropTempView(view)

    def note_progress(self, table: Table, progress: Mapping[str, object]) -> None:
        """A commit without rows, for inputs that changed without changing the output."""
        with self._commit_metadata(progress):
            self.spark.sql(
                f"ALTER TABLE {self.identifier(table)} SET TBLPROPERTIES ('lakeloop.run' = '{progress['run']}')"
            )

    def set_property(self, table: Table, name: str, value: str, progress: Mapping[str, object] | None) -> bool:
        """Sets a table's property, or removes it where ``value`` is empty, in a commit that carries ``progress``;
        whether there was anything to do."""
        if self.detail(table).properties.get(name, "") == value:
            return False
        change = f"SET TBLPROPERTIES ('{name}' = {literal(value)})" if value else f"UNSET TBLPROPERTIES ('{name}')"
        self.command(table, f"ALTER TABLE {{table}} {change}", progress or {})
        return True

    def detail(self, table: Table) -> Detail:
        """The table's files and properties."""
        row = self.spark.sql(f"DESCRIBE DETAIL {self.identifier(table)}").collect()[0]
        return Detail(row["numFiles"], row["sizeInBytes"], row["properties"])

    def files_below(self, table: Table, size: int) -> int:
        """How many of the table's files have fewer bytes."""
        files = self.read(table).select("_metadata.file_path", "_metadata.file_size").distinct()
        return files.filter(F.col("file_size") < size).count()

    def command(self, table: Table, statement: str, progress: Mapping[str, object]) -> None:
        """A statement of maintenance, in which ``{table}`` stands for the table; its commits carry ``progress``."""
        with self._commit_metadata(progress):
            self.spark.sql(statement.replace("{table}", self.identifier(table))).collect()

    @contextmanager
    def _commit_metadata(self, progress: Mapping[str, object]) -> Iterator[None]:
        """SQL takes a commit's metadata from the session alone, so one statement at a time may have it."""
        with self._metadata_lock:
            self.spark.conf.set(_METADATA_CONF, metadata(progress))
            try:
                yield
            finally:
                self.spark.conf.unset(_METADATA_CONF)


def _marked(writer: DataFrameWriter, progress: Mapping[str, object], after: int | None) -> DataFrameWriter:
    """The writer whose commit carries ``progress`` and, where it is given, the version that it follows."""
    writer = writer.option("userMetadata", metadata(progress))
    return writer if after is None else writer.option("txnAppId", METADATA).option("txnVersion", after)


def looked_up(frame: DataFrame) -> DataFrame:
    """The same frame; what is wrong with its plan, such as a path that is not there, is raised now. Spark Connect,
    unlike classic Spark, looks at a plan no earlier than something is asked of it."""
    frame.schema  # noqa: B018  # asks
    return frame


def is_conflict(error: Exception) -> bool:
    """Whether Delta refused a commit, for another writer's came first."""
    return _CONFLICT.search(str(error)) is not None


def is_missing_file(error: Exception) -> bool:
    """Whether Spark failed because a file that a table's log names is not there."""
    text = str(error)
    return any(word in text for word in _NO_FILE)


def _no_such_table(error: AnalysisException) -> bool:
    return (error.getCondition() or "") in _NO_TABLE
