"""Raw files: what lies in landing, what the file source has taken, and what came into bronze."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop import rejected
from lakeloop.places import checkpoint
from lakeloop.rawcolumns import quoted
from lakeloop.silver import FILE, MODIFIED
from lakeloop.tables import Lakehouse, looked_up

_NO_FILES = "_source_file string, _source_modified_at timestamp"
# Of a source's options those by which Spark's file sources choose files; the others are about a format.
_CHOOSING = ("recursivefilelookup", "pathglobfilter", "modifiedbefore", "modifiedafter")
STATES = ("ingested", "waiting", "empty", "changed", "removed", "rejected")
# Of rejected files so many are named.
_NAMED = 10
# What decoders put in the place of bytes that are not of the encoding.
_REPLACED = "\ufffd"


@dataclass(frozen=True)
class Files:
    """How many files are in each state, and the name of one; ``rejected`` names some that could not be read, each with
    the reason; ``undecoded`` counts the rows in bronze with bytes that are not of the files' encoding.

    ingested: rows of it are in bronze; waiting: not taken yet; empty: taken, but it gave no row; changed: written anew
    after it was taken (the file source reads a name once); removed: in bronze, but no longer in landing; rejected: in
    landing, but it could not be read.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    undecoded: int = 0

    def count(self, state: str) -> int:
        """How many files are in that state."""
        return self.counts.get(state, 0)


def look(lakehouse: Lakehouse, name: str, bronze: DataFrame) -> Files:
    """The states of a source's files; two actions. ``bronze`` is the source's bronze table. Where the source keeps no
    log of files (it is a table, or its checkpoint is gone), just those in bronze are counted."""
    settings = lakehouse.settings
    source = settings.pipeline.sources[name]
    landed = _landed(lakehouse.spark, settings.raw_files(source.path), source.options)
    taken = _taken(lakehouse.spark, f"{checkpoint(settings, name)}/sources/0")
    if taken is None:
        return Files({"ingested": bronze.select(FILE).distinct().count()})
    bad = rejected.rows_of_source(lakehouse, name).withColumnsRenamed({"file": FILE, "modified_at": MODIFIED})
    named = F.when(F.col("reason").isNotNull(), F.concat_ws(": ", FILE, "reason"))
    counted = (
        states(landed, taken, bronze, bad)
        .groupBy("state")
        .agg(
            F.count(F.lit(1)).alias("files"),
            F.min(FILE).alias("example"),
            F.slice(F.array_sort(F.collect_list(named)), 1, _NAMED).alias("named"),
        )
    )
    rows = {row["state"]: row for row in counted.collect()}
    examples = {state: rows[state]["example"] for state in STATES if state in rows}
    garbled, file = undecoded(bronze)
    return Files(
        {state: rows[state]["files"] for state in STATES if state in rows},
        examples | ({"undecoded": file} if garbled else {}),
        list(rows["rejected"]["named"]) if "rejected" in rows else [],
        garbled,
    )


def undecoded(bronze: DataFrame) -> tuple[int, str]:
    """How many rows of bronze have a text with bytes which the encoding does not have, or the character that was put in
    their place, and a file of such a row; one action."""
    texts = [
        F.col(quoted(field.name))
        for field in bronze.schema
        if isinstance(field.dataType, T.StringType) and field.name != FILE
    ]
    wrong = [F.contains(text, F.lit(_REPLACED)) | ~F.is_valid_utf8(text) for text in texts]
    found = (
        bronze.filter(F.coalesce(*[F.when(each, True) for each in wrong]))
        .agg(F.count(F.lit(1)).alias("rows"), F.min(FILE).alias("file"))
        .collect()[0]
    )
    return found["rows"], found["file"] or ""


def states(landed: DataFrame, taken: DataFrame, bronze: DataFrame, bad: DataFrame) -> DataFrame:
    """One row a file: `state` string, see Files, `_source_file`, and where it is rejected the `reason`.

    All four have `_source_file`; landed, bronze and bad, which are the rejected files, `_source_modified_at` too; bad
    has the `reason`.
    """
    landed, taken, bronze, bad = (rows.withColumn(FILE, _one_way_written()) for rows in (landed, taken, bronze, bad))
    there = bronze.groupBy(FILE).agg(F.max(MODIFIED).alias("_read"))
    known = landed.groupBy(FILE).agg(F.max(MODIFIED).alias("_written"))
    # Spark lists no file without a byte: just the log of taken files knows it.
    files = known.join(there, FILE, "full").join(
        taken.select(FILE).distinct().withColumn("_taken", F.lit(True)), FILE, "full"
    )
    last = F.max(F.struct(F.col(MODIFIED).alias("at"), "reason"))
    files = files.join(bad.groupBy(FILE).agg(last.alias("_bad")), FILE, "left")
    missing = F.col("_read").isNull()
    # Rejected and taken away: nothing is left to account for.
    files = files.filter(~(missing & F.col("_written").isNull() & F.col("_bad").isNotNull()))
    seen = F.coalesce("_taken", F.lit(False))
    state = (
        F.when(missing & ~seen, "waiting")
        .when(missing & F.col("_bad").isNotNull(), "rejected")
        .when(missing, "empty")
        .when(F.col("_written").isNull(), "removed")
        .when(F.col("_written") > F.col("_read"), "changed")
        .otherwise("ingested")
    )
    reason = F.when(state == "rejected", F.col("_bad.reason"))
    return files.select(state.alias("state"), FILE, reason.alias("reason"))


def _one_way_written() -> Column:
    """Spark's log of taken files says file:///x where its metadata column says file:/x."""
    return F.regexp_replace(FILE, "^file:/+", "file:///")


def waiting(lakehouse: Lakehouse, name: str, exists: bool) -> int | None:
    """How many files the next run of bronze would take, or None where that cannot be told before it reads: bronze
    ``exists``, but the source keeps no log of files. One action."""
    settings = lakehouse.settings
    source = settings.pipeline.sources[name]
    landed = _landed(lakehouse.spark, settings.raw_files(source.path), source.options)
    taken = _taken(lakehouse.spark, f"{checkpoint(settings, name)}/sources/0")
    if taken is None:
        return None if exists else landed.count()
    landed, taken = (rows.select(_one_way_written().alias(FILE)) for rows in (landed, taken))
    return landed.join(taken, FILE, "left_anti").count()


def _landed(spark: SparkSession, path: str, options: dict[str, str | int | float | bool]) -> DataFrame:
    """The files that the source's path names: `_source_file`, `_source_modified_at`; nothing of them is read."""
    choosing = {key: value for key, value in options.items() if key.lower() in _CHOOSING}
    try:
        files = looked_up(spark.read.format("binaryFile").options(**choosing).load(path))
        return files.select(
            F.col("_metadata.file_path").alias(FILE), F.col("_metadata.file_modification_time").alias(MODIFIED)
        )
    except AnalysisException as error:
        if (error.getCondition() or "").startswith("PATH_NOT_FOUND"):
            return spark.createDataFrame([], _NO_FILES)
        raise


def _taken(spark: SparkSession, log: str) -> DataFrame | None:
    """The files that the file source has noted as taken: `_source_file`; None where there is no such log. It has a JSON
    document a line."""
    try:
        lines = looked_up(spark.read.text(log))
    except AnalysisException as error:
        if (error.getCondition() or "").startswith("PATH_NOT_FOUND"):
            return None
        raise
    return lines.select(F.get_json_object("value", "$.path").alias(FILE)).filter(F.col(FILE).isNotNull())


__all__ = ["STATES", "Files", "look", "states", "undecoded", "waiting"]
