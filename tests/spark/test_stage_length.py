"""What silver does with a row is compiled by Java, however many columns there are up to some thirty."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import MakeUseCase
from pyspark.sql import DataFrame, SparkSession

from lakeloop import silver
from lakeloop.config.sources import Source
from lakeloop.session import LONGEST_COMPILED

COLUMNS = 30
TYPES = ("int", "double", "string", "timestamp", "date")
METADATA = "_corrupt_record string, _source_file string, _source_modified_at timestamp, _ingested_at timestamp"


@pytest.fixture
def wide(use_case: MakeUseCase) -> Source:
    """Columns of all types, with rules on some."""
    columns = {f"c{number}": TYPES[number % len(TYPES)] for number in range(COLUMNS)}
    rules = {f"c{number}_is_positive": f"c{number} > 0" for number in range(0, COLUMNS, len(TYPES))}
    things = {"path": "things/*.csv", "missing": ["NA", "-"], "key": "c0", "columns": columns, "expect": rules}
    return use_case(yaml.safe_dump({"sources": {"things": things}})).settings.pipeline.sources["things"]


def longest(rows: DataFrame) -> int:
    """The bytes of the longest method that Spark makes for these rows."""
    package = "org.apache.spark.sql.execution.debug.package$"
    debug = getattr(rows.sparkSession._jvm, package).__getattr__("MODULE$")
    found = debug.codegenStringSeq(rows._jdf.queryExecution().executedPlan())
    assert found.size(), "Spark made no code"
    return max(found.apply(stage)._3().maxMethodCodeSize() for stage in range(found.size()))


def test_rows_on_their_way_to_silver_are_compiled(compiling: SparkSession, wide: Source, tmp_path: Path) -> None:
    raw = ", ".join(f"c{number} string" for number in range(COLUMNS))
    compiling.createDataFrame([], f"{raw}, {METADATA}").write.parquet(str(tmp_path / "bronze"))
    bronze = compiling.read.parquet(str(tmp_path / "bronze"))

    assert longest(silver.latest(bronze, wide)) <= int(LONGEST_COMPILED)
