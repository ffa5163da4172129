"""Where a new use case's files go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakeloop.config.loading import FIRST, PIPELINE_FILE
from lakeloop.config.schema import SCHEMA_FILE, SCHEMA_LINE, schema_text
from lakeloop.errors import LakeloopError
from lakeloop.onboarding.names import snake

LOCAL = """\
# A laptop: local Spark, tables below one folder, MLflow on SQLite.
root: lakehouse
master: local[*]
spark:
  spark.driver.memory: 4g
  spark.ui.enabled: false
  spark.driver.extraJavaOptions: -XX:+UseParallelGC
  spark.sql.session.timeZone: UTC
  # Made for one machine and small tables; a cluster keeps its own settings.
  spark.databricks.delta.snapshotPartitions: 1
  # Up to this many files are listed by the driver, not by a Spark job with a task for each.
  spark.sql.sources.parallelPartitionDiscovery.threshold: 10000
"""


@dataclass(frozen=True)
class Home:
    """Where a use case's files go: ``<conf>/<name>/pipeline.yml``, beside ``<conf>/env/<env>.yml``."""

    conf: Path
    name: str

    @property
    def pipeline(self) -> Path:
        return self.conf / self.name / PIPELINE_FILE

    def check(self) -> None:
        """LakeloopError where the name cannot be, or is taken."""
        if snake(self.name, "") != self.name:
            raise LakeloopError(
                f"'{self.name}' is no name for a use case: lower-case letters, digits and underscores, a letter first"
                f"{f', such as {near}' if (near := snake(self.name, '')) else ''}."
            )
        if self.name == "env":
            raise LakeloopError(f"{self.conf / 'env'} is the folder of the environments: take another name.")
        if self.pipeline.exists():
            raise LakeloopError(f"{self.pipeline} is there already and is not overwritten: take another name.")

    def environment(self) -> Path | None:
        """Writes env/local.yml where there is none; returns its path where it was written."""
        file = self.conf / FIRST
        if file.exists():
            return None
        _write(file, LOCAL)
        return file

    def schema(self) -> Path | None:
        """Writes the JSON Schema of pipeline.yml where there is none; returns its path where it was written."""
        file = self.conf / SCHEMA_FILE
        if file.exists():
            return None
        _write(file, schema_text())
        return file

    def write(self, text: str) -> Path:
        """Writes pipeline.yml, with the line that leads editors to its schema; returns its path."""
        _write(self.pipeline, f"{SCHEMA_LINE}\n{text}")
        return self.pipeline


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as out:
        out.write(content)
