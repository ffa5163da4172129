"""Bronze: raw files as they came, each once, by a streaming file source."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame, DataFrameReader
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.streaming import DataStreamReader

from lakeloop.config import Settings
from lakeloop.config.models import Source
from lakeloop.derive import Engine, Outcome, changed_rows
from lakeloop.errors import DataError
from lakeloop.tables import Lakehouse, Table

CORRUPT = "_corrupt_record"
FILE, MODIFIED, INGESTED = "_source_file", "_source_modified_at", "_ingested_at"
METADATA = (CORRUPT, FILE, MODIFIED, INGESTED)

# The file source forgets, and then skips, files that are older than this before the newest that it has seen:
# by default a week, which silently loses what arrives late with its old modification time.
NEVER_TOO_OLD = "36500d"

_TEXT_DEFAULTS: dict[str, dict[str, Any]] = {"csv": {"header": True, "enforceSchema": False}, "json": {}}
# Delta's columns cannot have these characters; the name in the files is kept in the column's metadata.
RAW_NAME = "lakeloop.raw_name"
_UNSAFE = re.compile(r"[ ,;{}()\n\t=]+")


def ingest(engine: Engine, name: str, now: datetime) -> Outcome:
    """Adds the files that are new since the last run to bronze.<name>, in one commit or none.

    Columns: the files' own (text formats: strings), then `_corrupt_record` string (the text of a line that does not
    parse), `_source_file` string, `_source_modified_at` timestamp, `_ingested_at` timestamp.
    DataError where there is no file at all, or a file does not have the columns of the others.
    """
    started = time.monotonic()
    lakehouse = engine.lakehouse
    settings = lakehouse.settings
    source = settings.pipeline.sources[name]
    table = Table("bronze", name)
    path = settings.raw_files(source.path)
    before = lakehouse.latest(table)
    schema = _raw_schema(lakehouse, source, table, path, exists=before is not None)
    reader = lakehouse.spark.readStream.option("maxFileAge", NEVER_TOO_OLD)
    stream = _raw_rows(reader, source, schema, _as_pattern(path), now)

    write = lakehouse.batch_writer(
        table,
        {"run": engine.run, "source": source.path},
        f"lakeloop-bronze-{name}",
        **{"delta.appendOnly": "true", "delta.dataSkippingNumIndexedCols": "0"},
    )
    query = (
        stream.writeStream.foreachBatch(write)
        .option("checkpointLocation", checkpoint(settings, name))
        .queryName(f"bronze {name}")
        .trigger(availableNow=True)
        .start()
    )
    try:
        query.awaitTermination()
    except StreamingQueryException as error:
        raise _reading_error(name, path, error) from error
    after = lakehouse.latest(table)
    if after is None:
        raise DataError(f"sources.{name}: the files at {path} hold no row.")
    engine.forget(table)
    seconds = time.monotonic() - started
    if before is not None and after.version == before.version:
        return Outcome(table, "unchanged", after.version, seconds=seconds)
    rows = changed_rows(after)
    return Outcome(table, "updated" if before else "created", after.version, rows, rows, seconds)


def checkpoint(settings: Settings, name: str) -> str:
    """The folder in which the file source notes which files it has taken."""
    return f"{settings.resolve(settings.environment.checkpoints)}/bronze/{name}"


def read(lakehouse: Lakehouse, name: str, now: datetime) -> DataFrame:
    """The rows of all raw files as bronze.<name> would have them, without a table: to look at, not to keep.

    DataError where there is no file.
    """
    source = lakehouse.settings.pipeline.sources[name]
    path = lakehouse.settings.raw_files(source.path)
    schema = _raw_schema(lakehouse, source, Table("bronze", name), path, exists=False)
    return _raw_rows(lakehouse.spark.read, source, schema, path, now)


def _as_pattern(path: str) -> str:
    """A stream takes folders and patterns; one file is a pattern that fits it alone."""
    return f"{path[:-1]}[{path[-1]}]" if Path(path).is_file() else path


def _raw_schema(lakehouse: Lakehouse, source: Source, table: Table, path: str, exists: bool) -> T.StructType:
    """The columns of the files: what bronze has, or at first what the files say."""
    if exists:
        fields = [field for field in lakehouse.read(table).schema if field.name not in METADATA[1:]]
        named = [T.StructField(field.metadata.get(RAW_NAME, field.name), field.dataType) for field in fields]
        return T.StructType(named)
    reader = lakehouse.spark.read.format(source.format).options(**_options(source))
    if source.format == "json":
        reader = reader.option("primitivesAsString", "true")
    try:
        schema = reader.load(path).schema
    except AnalysisException as error:
        if (error.getCondition() or "").startswith(("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA")):
            raise DataError(
                f"sources.{table.name}.path: there is no {source.format} file at {path}. Put raw files there, or "
                "correct the path (it is taken below the environment's landing root)."
            ) from error
        raise
    fields = [field for field in schema if field.name != CORRUPT]
    if source.format == "parquet":
        return T.StructType(fields)
    return T.StructType([*fields, T.StructField(CORRUPT, T.StringType())])


def _options(source: Source) -> dict[str, Any]:
    return {**_TEXT_DEFAULTS.get(source.format, {}), **source.options}


def _raw_rows(
    reader: DataFrameReader | DataStreamReader, source: Source, schema: T.StructType, path: str, now: datetime
) -> DataFrame:
    """The raw rows, with where they came from."""
    reader = reader.format(source.format).schema(schema).options(**_options(source))
    if source.format != "parquet":
        reader = reader.option("columnNameOfCorruptRecord", CORRUPT)
    rows = reader.load(path)
    columns = [
        F.col(f"`{field.name}`").alias(_UNSAFE.sub("_", field.name), metadata={RAW_NAME: field.name})
        for field in schema
        if field.name != CORRUPT
    ]
    corrupt = F.col(CORRUPT) if CORRUPT in schema.fieldNames() else F.lit(None).cast("string").alias(CORRUPT)
    return rows.select(
        *columns,
        corrupt,
        F.col("_metadata.file_path").alias(FILE),
        F.col("_metadata.file_modification_time").alias(MODIFIED),
        F.lit(now).cast("timestamp").alias(INGESTED),
    )


def _reading_error(name: str, path: str, error: StreamingQueryException) -> DataError:
    """The few lines of a streaming error that a user can act on."""
    text = str(error)
    match = re.search(r"CSV header does not conform to the schema\.\s*(.*?CSV file: \S+)", text, re.DOTALL)
    if match:
        detail = " ".join(match.group(1).split())
        return DataError(
            f"sources.{name}: a file has other columns than bronze.{name} ({detail}). Give these files a source of "
            "their own, or bring the columns into the order of the first files. Nothing of this batch was written."
        )
    cause = re.search(r"Caused by: [\w.$]+: (.*)", text) or re.search(r"^(.*)$", text, re.MULTILINE)
    return DataError(f"sources.{name}: reading {path} failed: {cause.group(1) if cause else text[:300]}")
