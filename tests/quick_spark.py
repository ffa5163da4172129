"""How Spark is set in all tests: what makes many small actions quick."""

from __future__ import annotations

from typing import Any

# Few partitions and no page; a compiler that starts fast, with room for what it makes: in the 48 MB that it has by
# itself it throws code away to make it again, a third of all time; no Java code made and compiled for ten rows, which
# takes two fifths of the time of such an action; no plan made anew while it runs, and no statistics of columns of ten
# rows, which take a sixth of what is left; no files of checksums beside each file, for which Hadoop runs `chmod` once
# more: a fifth of a small commit. `make run` has Spark's own settings.
SPARK: dict[str, Any] = {
    "spark.driver.memory": "2g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
    "spark.ui.enabled": False,
    "spark.sql.codegen.wholeStage": False,
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": False,
    "spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols": "0",
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
    "spark.sql.shuffle.partitions": 2,
    "spark.databricks.delta.snapshotPartitions": 1,
    "spark.sql.sources.parallelPartitionDiscovery.threshold": 10000,
}
