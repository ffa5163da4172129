"""Raw files: what lies in landing, what the file source has taken, and what came into bronze."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakeloop.bronze import checkpoint
from lakeloop.silver import FILE, MODIFIED
from lakeloop.tables import Lakehouse

_NO_FILES = "_source_file string, _source_modified_at timestamp"
# Of a source's options those by which Spark's file sources choose files; the others are about a format.
_CHOOSING = ("recursivefilelookup", "pathglobfilter", "modifiedbefore", "modifiedafter")
STATES = ("ingested", "waiting", "empty", "changed", "removed")


@dataclass(frozen=True)
class Files:
    """How many files are in each state, and the name of one.

    ingested: rows of it are in bronze; waiting: not taken yet; empty: taken, but it gave no row; changed: written anew
    after it was taken (the file source reads a name once); removed: in bronze, but no longer in landing.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def count(self, state: str) -> int:
        """How many files are in that state."""
        return self.counts.get(state, 0)


def look(lakehouse: Lakehouse, name: str, bronze: DataFrame) -> Files:
    """The states of a source's files; one action. ``bronze`` is the source's bronze table. Where the source keeps no
    log of files (it is a table, or its checkpoint is gone), just those in bronze are counted."""
    settings = lakehouse.settings
    source = settings.pipeline.sources[name]
    landed = _landed(lakehouse.spark, settings.raw_files(source.path), source.options)
    taken = _taken(lakehouse.spark, f"{checkpoint(settings, name)}/sources/0")
    if taken is None:
        return Files({"ingested": bronze.select(FILE).distinct().count()})
    counted = (
        states(landed, taken, bronze)
        .groupBy("state")
        .agg(F.count(F.lit(1)).alias("files"), F.min(FILE).alias("example"))
    )
    rows = {row["state"]: row for row in counted.collect()}
    return Files(
        {state: rows[state]["files"] for state in STATES if state in rows},
        {state: rows[state]["example"] for state in STATES if state in rows},
    )


def states(landed: DataFrame, taken: DataFrame, bronze: DataFrame) -> DataFrame:
    """One row a file: `state` string, see Files, and `_source_file`.

    All three have `_source_file`; landed and bronze `_source_modified_at` too.
    """
    landed, taken, bronze = (rows.withColumn(FILE, _one_way_written()) for rows in (landed, taken, bronze))
    there = bronze.groupBy(FILE).agg(F.max(MODIFIED).alias("_read"))
    known = landed.groupBy(FILE).agg(F.max(MODIFIED).alias("_written"))
    files = known.join(there, FILE, "full").join(
        taken.select(FILE).distinct().withColumn("_taken", F.lit(True)), FILE, "left"
    )
    missing = F.col("_read").isNull()
    seen = F.coalesce("_taken", F.lit(False))
    state = (
        F.when(missing & ~seen, "waiting")
        .when(missing, "empty")
        .when(F.col("_written").isNull(), "removed")
        .when(F.col("_written") > F.col("_read"), "changed")
        .otherwise("ingested")
    )
    return files.select(state.alias("state"), FILE)


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
        files = spark.read.format("binaryFile").options(**choosing).load(path)
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
        lines = spark.read.text(log)
    except AnalysisException as error:
        if (error.getCondition() or "").startswith("PATH_NOT_FOUND"):
            return None
        raise
    return lines.select(F.get_json_object("value", "$.path").alias(FILE)).filter(F.col(FILE).isNotNull())


__all__ = ["STATES", "Files", "look", "states", "waiting"]
