"""The obvious PySpark for the same tables: read, cast, write Delta; the last of a key by a window; a join for gold."""

from __future__ import annotations

import shutil
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from bench.flights import SOURCES, Source
from bench.windows import query
from bench.workbench import CONF

# What Lakeloop sets for speed, and whoever writes the same by hand would not: here it is as Spark has it.
SPARKS_OWN = (
    "spark.sql.codegen.hugeMethodLimit",
    "spark.sql.files.openCostInBytes",
    "spark.sql.parquet.outputTimestampType",
)
METADATA = ["_source_file", "_source_modified_at", "_ingested_at"]


class ByHand:
    """Tables in folders below ``root``, from the raw files in ``landing``."""

    def __init__(self, spark: SparkSession, landing: Path, root: Path) -> None:
        self.spark = spark.newSession()
        for key in SPARKS_OWN:
            self.spark.conf.unset(key)
        self.landing = landing
        self.root = root

    def clear(self) -> None:
        """Removes all tables."""
        shutil.rmtree(self.root, ignore_errors=True)

    def read(self, table: str) -> DataFrame:
        """A table that was written."""
        return self.spark.read.format("delta").load(str(self.root / table))

    def _write(self, rows: DataFrame, table: str) -> None:
        rows.write.format("delta").mode("overwrite").save(str(self.root / table))

    def bronze(self) -> None:
        """The files' columns as texts, with the file of each row."""
        for name, source in SOURCES.items():
            reader = self.spark.read.format(source.format).option("header", True)
            if source.format != "parquet":
                reader = reader.schema(", ".join(f"{column} string" for column in source.raw))
            rows = reader.load(str(self.landing / name)).select(
                "*",
                F.col("_metadata.file_path").alias("_source_file"),
                F.col("_metadata.file_modification_time").alias("_source_modified_at"),
                F.current_timestamp().alias("_ingested_at"),
            )
            self._write(rows, f"bronze/{name}")

    def silver(self) -> None:
        """Typed rows, one a key; those that break a rule in quarantine, with the names of the rules."""
        for name, source in SOURCES.items():
            rows = _typed(self.read(f"bronze/{name}"), source)
            rows = rows.withColumn("_failed_rules", _failed(source))
            newest = Window.partitionBy(*source.key).orderBy(F.desc("_source_modified_at"), F.desc("_source_file"))
            good = rows.filter(F.size("_failed_rules") == 0).withColumn("_rank", F.row_number().over(newest))
            self._write(good.filter("_rank = 1").select(*source.columns, *METADATA), f"silver/{name}")
            bad = rows.filter(F.size("_failed_rules") > 0)
            self._write(bad.select("_raw.*", *METADATA, "_failed_rules"), f"quarantine/{name}")

    def gold(self) -> None:
        """The use case's own queries."""
        for name in SOURCES:
            self.read(f"silver/{name}").createOrReplaceTempView(f"by_hand_{name}")
        for name in ("departures", "movements"):
            query = (CONF / f"{name}.sql").read_text(encoding="utf-8").replace("silver.", "by_hand_")
            self._write(self.spark.sql(query), f"gold/{name}")

    def features(self, departures: DataFrame, movements: DataFrame) -> None:
        """The departures with features, by range windows."""
        departures.createOrReplaceTempView("by_hand_departures")
        movements.createOrReplaceTempView("by_hand_movements")
        windows = query("by_hand_departures", "by_hand_movements", "unix_seconds({})")
        self._write(self.spark.sql(windows), "features/departures")


def _typed(bronze: DataFrame, source: Source) -> DataFrame:
    rows = bronze.withColumn("_raw", F.struct(*source.raw))
    rows = rows.withColumns({column: _present(F.col(column), source) for column in source.raw})
    rows = rows.withColumns({column: F.col(column).try_cast(type_) for column, type_ in source.casts.items()})
    for column, expression in source.computed.items():
        rows = rows.withColumn(column, F.expr(expression))
    return rows


def _present(column: Column, source: Source) -> Column:
    """Null where there is nothing, or what stands for it."""
    if source.format == "parquet":
        return column
    trimmed = F.trim(column)
    return F.when(~trimmed.isin("", *source.missing), trimmed)


def _failed(source: Source) -> Column:
    """The names of the rules that a row breaks: casts succeed, keys are there, and the source's own."""
    casts = {
        f"{column}_is_{type_}": _present(F.col(f"_raw.{column}"), source).isNull() | F.col(column).isNotNull()
        for column, type_ in source.casts.items()
    }
    keys = {f"{column}_is_present": F.col(column).isNotNull() for column in source.key}
    rules = {name: F.coalesce(F.expr(rule), F.lit(True)) for name, rule in source.rules.items()}
    return F.array_compact(F.array(*[F.when(~ok, name) for name, ok in {**casts, **keys, **rules}.items()]))
