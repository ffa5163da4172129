"""Bronze: raw files as they came, each once, by a streaming file source."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from lakeloop import rejected
from lakeloop.change_feed import changed_rows
from lakeloop.config import Settings
from lakeloop.config.sources import Source
from lakeloop.conforming import conformed
from lakeloop.derive import Engine, Outcome
from lakeloop.errors import DISK_FULL, DataError, LakeloopError, MachineError, is_disk_full
from lakeloop.places import PATTERN, advice, check_checkpoint, check_folder, checkpoint, forget, location, same
from lakeloop.rawcolumns import CORRUPT, FILE, INGESTED, METADATA, MODIFIED, RawColumn, assign, quoted, raw_fields
from lakeloop.rawfiles import Group, RawFile, RawFiles
from lakeloop.session import interpret
from lakeloop.sifting import sift
from lakeloop.tables import Lakehouse, Table, is_conflict, looked_up

# The file source forgets, and then skips, files that are older than this before the newest that it has seen:
# by default a week, which silently loses what arrives late with its old modification time.
NEVER_TOO_OLD = "36500d"

__all__ = ["CORRUPT", "FILE", "INGESTED", "METADATA", "MODIFIED", "ingest", "read"]

_LISTED = ("path", "length", "modificationTime")
_LISTING = "path string, modificationTime timestamp, length bigint, content binary"


# Files of so few bytes in all hold few rows, see session.interpret.
_FEW_BYTES = 16 << 20

# How often a stream is started whose Python process comes up too late.
_STARTS = 6

# How Spark says which file was listed and is no longer there.
_GONE = re.compile(r"(?:Path does not exist: |while reading file |FileNotFoundException: (?:File )?)(\S+)")

Told = TypeVar("Told")


def ingest(engine: Engine, name: str, now: datetime) -> Outcome:
    """Adds the files that are new since the last run to bronze.<name>, in one commit or none. Files that cannot be
    read are left out and recorded in governance.rejected_files.

    Columns: the files' own (text formats: strings), then `_corrupt_record` string (the text of a line that does not
    parse, or the JSON of a row that does not fit), `_source_file` string, `_source_modified_at` timestamp,
    `_ingested_at` timestamp, and `_rescued_data` string where the source asks for it. The outcome's reason tells of
    columns that came or were missing and of files that were rejected. DataError where there is no table in the end: for
    want of files, of rows, or of files that can be read.
    """
    started = time.monotonic()
    lakehouse = engine.lakehouse
    settings = lakehouse.settings
    source = settings.pipeline.sources[name]
    table = Table("bronze", name)
    check_folder(settings, name)
    before = lakehouse.latest(table)
    if before is None:
        forget(settings, name)
    else:
        check_checkpoint(settings, name)
    try:
        stream = (
            _stream(lakehouse, source, location(settings, source))
            .writeStream.foreachBatch(_batch_writer(settings, name, engine.run, now))
            .option("checkpointLocation", checkpoint(settings, name))
            .queryName(f"bronze {name}")
            .trigger(availableNow=True)
        )
        _started(stream).awaitTermination()
    except (AnalysisException, StreamingQueryException) as error:
        raise _reading_error(name, source, location(settings, source), error) from error
    after = lakehouse.latest(table)
    if after is None:
        raise _no_row(lakehouse, name)
    seconds = time.monotonic() - started
    if before is not None and after.version == before.version:
        engine.note(table, after)
        found = rejected.of_source(lakehouse, name, engine.run)
        reason = rejected.told([(file.file, file.reason) for file in found])
        return Outcome(table, "unchanged", after.version, seconds=seconds, reason=reason)
    known = before.version if before else -1
    commits = [after] if after.version == known + 1 else lakehouse.commits_after(table, known)
    notes = [
        str((commit.progress or {}).get(key, "")) for commit in reversed(commits) for key in ("columns", "rejected")
    ]
    rows = sum(changed_rows(commit) for commit in commits)
    engine.note(table, after, None if before else rows)
    reason = "; ".join(dict.fromkeys(note for note in notes if note))
    return Outcome(table, "updated" if before else "created", after.version, rows, rows, seconds, reason)


def _started(stream: DataStreamWriter) -> StreamingQuery:
    """The query of a stream. Spark Connect gives the Python process that writes the batches ten seconds to come up,
    which a busy machine may take; nothing was begun then."""
    for _ in range(_STARTS - 1):
        try:
            return stream.start()
        except PySparkException as error:
            if "waiting for the Python worker" not in str(error):
                raise
    return stream.start()


def read(lakehouse: Lakehouse, name: str, now: datetime) -> DataFrame:
    """The rows of all raw files as bronze.<name> would have them, without a table: to look at, not to keep.

    DataError where there is no file, or none whose columns can be told.
    """
    source = lakehouse.settings.pipeline.sources[name]
    path = location(lakehouse.settings, source)
    if source.format == "delta":
        try:
            found = looked_up(lakehouse.given(path))
        except AnalysisException as error:
            raise _no_file(name, source, path) from error
        groups: Sequence[Group] = [_of_table(found, [], now)]
    else:
        try:
            files = looked_up(lakehouse.spark.read.format("binaryFile").options(**source.options).load(path))
        except AnalysisException as error:
            if (error.getCondition() or "").startswith("PATH_NOT_FOUND"):
                raise _no_file(name, source, path) from error
            raise
        there = _files(files, source, path)
        if there is None:
            raise _no_file(name, source, path)
        groups = _told(name, lambda: _columns_told(there))
    if not groups:
        raise DataError(f"sources.{name}: the files at {path} hold no row.")
    return conformed(groups, [], source, now).rows


def _columns_told(files: RawFiles) -> Sequence[Group]:
    """The rows of the files; where a file stops that, of those that can be read."""
    try:
        return files.groups([])
    except Exception as error:
        sifted = sift(files, [], infer=True)
        if not sifted.unreadable:
            raise
        if not sifted.readable:
            bad = [(one.file.path, one.reason) for one in sifted.unreadable]
            raise DataError(f"no file can be read. {rejected.told(bad)}.") from error
        return sifted.groups([], infer=True)


def _stream(lakehouse: Lakehouse, source: Source, path: str) -> DataFrame:
    """The new files (`path`, `length`, `modificationTime`), or of a Delta table its new rows with the file of each."""
    if source.format == "delta":
        rows = lakehouse.given(path, stream=True, **source.options)
        return rows.withColumn(FILE, F.input_file_name())
    reader = lakehouse.spark.readStream.format("binaryFile").schema(_LISTING).option("maxFileAge", NEVER_TOO_OLD)
    return reader.options(**source.options).load(_as_pattern(path)).select(*_LISTED)


def _as_pattern(path: str) -> str:
    """A stream takes a plain path for a folder; what is one file, or seems to be by its name, becomes a pattern that
    fits it alone."""
    named = "." in path.rpartition("/")[2] and not PATTERN.search(path)
    return f"{path[:-1]}[{path[-1]}]" if named or Path(path).is_file() else path


def _batch_writer(settings: Settings, name: str, run: str, now: datetime) -> Callable[[DataFrame, int], None]:
    """A function for foreachBatch: reads a batch's files and adds their rows, each batch once, in one commit.

    It holds settings alone, for Spark Connect runs it on the server.
    """
    source = settings.pipeline.sources[name]
    path = location(settings, source)

    def write(rows: DataFrame, number: int) -> None:
        lakehouse = Lakehouse(rows.sparkSession, settings)
        batch = _Batch(lakehouse, name, number, _known(lakehouse, Table("bronze", name)), run, now)
        if source.format == "delta":
            refused = batch.add([_of_table(rows, batch.known, now)])
        else:
            files = _files(rows, source, path)
            if files is not None and sum(file.bytes for file in files.files) <= _FEW_BYTES:
                # The session is the stream's own.
                interpret(rows.sparkSession, settings)
            refused = _told(name, lambda: batch.add_files(files)) if files is not None else ""
        if refused:
            raise DataError(refused)

    return write


@dataclass(frozen=True)
class _Batch:
    """A batch of a source's stream, and the raw columns that bronze has (``known``). What adds its rows returns why
    they were refused, or nothing."""

    lakehouse: Lakehouse
    name: str
    number: int
    known: Sequence[T.StructField]
    run: str
    now: datetime

    @property
    def source(self) -> Source:
        return self.lakehouse.settings.pipeline.sources[self.name]

    def add(self, groups: Sequence[Group], bad: str = "") -> str:
        """Adds rows; ``bad`` tells of files that were left out."""
        if not groups:
            return ""
        new = conformed(groups, self.known, self.source, self.now)
        if self.known and new.added and self.source.schema_evolution == "fail_on_new_columns":
            return (
                f"sources.{self.name}: new files have columns that bronze.{self.name} does not have: "
                f"{', '.join(new.added)}. Nothing was written. Set schema_evolution to add_new_columns, rescue or "
                "none, or mend the files."
            )
        columns = new.note(bool(self.known))
        self.lakehouse.batch_writer(
            Table("bronze", self.name),
            {"run": self.run, "source": self.source.path, "columns": columns, "rejected": bad},
            f"lakeloop-bronze-{self.name}",
            **{"delta.appendOnly": "true", "delta.dataSkippingNumIndexedCols": "0", "mergeSchema": "true"},
        )(new.rows, self.number)
        return ""

    def add_files(self, files: RawFiles) -> str:
        """Adds the files' rows; where that fails, those of the files that can be read."""
        infer = self.source.schema_evolution != "none"
        try:
            return self.add(files.groups(self.known, trusting=True, infer=infer))
        except Exception as error:
            failure = error
        # Nothing was committed. If the files' headers differ, that was why; to look at them first would take a pass
        # over all files, which almost always have the same.
        if self.source.format == "csv":
            try:
                groups = files.groups(self.known, infer=infer)
                if len(groups) > 1:
                    return self.add(groups)
            except Exception as error:
                failure = error
        sifted = sift(files, self.known, infer)
        if not sifted.unreadable and len(sifted.readable) == 1:
            # The files can be read: it was something else.
            raise failure
        # Before the rows: a file that is mended between two tries of a batch is then in both, not in none.
        rejected.record(self.lakehouse, self.name, sifted.unreadable, self.run, self.now)
        bad = rejected.told([(one.file.path, one.reason) for one in sifted.unreadable])
        return self.add(sifted.groups(self.known, infer), bad)


def _known(lakehouse: Lakehouse, table: Table) -> list[T.StructField]:
    """The raw columns that bronze has; none where it is not there yet."""
    if lakehouse.latest(table) is None:
        return []
    return raw_fields(lakehouse.read(table).schema)


def _files(listing: DataFrame, source: Source, path: str) -> RawFiles | None:
    """The files of a listing (`path`, `modificationTime`, `length`) that are not empty, or None."""
    found = [RawFile(*row) for row in listing.filter("length > 0").select(*_LISTED).orderBy("path").collect()]
    if not found:
        return None
    base = None if PATTERN.search(path) or any(same(path, file.path) for file in found) else path
    return RawFiles(listing.sparkSession, source, found, base)


def _of_table(rows: DataFrame, known: Sequence[T.StructField], now: datetime) -> Group:
    """The rows of a Delta table. It says of no row when it was written: what arrives later is newer."""
    given = [field for field in rows.schema if field.name != FILE]
    named = assign(given, known)
    file = F.col(FILE) if FILE in rows.columns else F.input_file_name().alias(FILE)
    columns = [F.col(quoted(field.name)) for field in given]
    corrupt = F.lit(None).cast("string").alias(CORRUPT)
    rows = rows.select(*columns, corrupt, file, F.lit(now).cast("timestamp").alias(MODIFIED))
    return Group(rows, [RawColumn(field.name, column) for field, column in zip(given, named, strict=True)])


def _told(name: str, work: Callable[[], Told]) -> Told:
    """What ``work`` on a source's files returns; what is wrong with them is said with the source's name."""
    try:
        return work()
    except DataError as error:
        raise DataError(f"sources.{name}: {error}") from error


def _no_file(name: str, source: Source, path: str) -> DataError:
    return DataError(f"sources.{name}.path: there is no {source.format} file at {path}. {advice(source, path)}")


def _no_row(lakehouse: Lakehouse, name: str) -> DataError:
    """Why there is no table after a run: no file, or none with a row."""
    source = lakehouse.settings.pipeline.sources[name]
    path = location(lakehouse.settings, source)
    bad = rejected.told([(file.file, file.reason) for file in rejected.of_source(lakehouse, name)])
    if bad:
        return DataError(
            f"sources.{name}: no file at {path} could be read. {bad}: mend the files, or the source's format and "
            f"options; all are listed in {rejected.REJECTED}."
        )
    try:
        read(lakehouse, name, datetime.now())
    except DataError as error:
        return error
    return DataError(f"sources.{name}: the files at {path} hold no row.")


def _reading_error(name: str, source: Source, path: str, error: Exception) -> LakeloopError:
    """The few lines of a streaming error that a user can act on."""
    text = str(error)
    if is_disk_full(error):
        return MachineError(f"bronze.{name}: {DISK_FULL}")
    if is_conflict(error):
        return LakeloopError(
            f"bronze.{name}: another run took the same files at the same time. Nothing came twice: run again "
            "when it has ended."
        )
    gone = _GONE.search(text)
    file = re.sub(r"^file:/+", "/", gone.group(1)).rstrip(".") if gone else path
    if not same(file, path):
        return DataError(
            f"sources.{name}: the file {file} was removed while it was read. None of the new files was taken. Put it "
            "back and run again. Without it the next run takes the others, and later it must come by another name."
        )
    own = re.findall(r"lakeloop\.errors\.DataError: (.*)", text)
    if own:
        return DataError(own[-1].strip())
    if "[PATH_NOT_FOUND]" in text or "[DELTA_TABLE_NOT_FOUND]" in text or "[DELTA_SCHEMA_NOT_SET]" in text:
        return DataError(f"sources.{name}.path: there is nothing at {path}. {advice(source, path)}")
    causes = re.findall(r"Caused by: [\w.$]+: (.*)", text) or re.findall(r"^\S+(?:Error|Exception): (.*)$", text, re.M)
    return DataError(f"sources.{name}: reading {path} failed: {causes[0] if causes else text[:300]}")
