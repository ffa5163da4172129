"""The other use cases of the repository: configuration alone, from raw file to predictions, one for each task."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from quick_spark import SPARK
from small_lakehouse import PROJECT, here, run

# Rows of the data set; the metric, and the value that a sound model reaches on its held-out quarter.
USE_CASES = {
    "breast_cancer": ("biopsies", 569, "roc_auc", 0.97),
    "wine": ("wines", 178, "accuracy_score", 0.9),
    "diabetes": ("patients", 442, "r2_score", 0.35),
}


def lakeloop(*words: str) -> str:
    done = here(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One root for all, as users have: to make MLflow's database takes seconds."""
    return tmp_path_factory.mktemp("lakehouse")


@pytest.mark.parametrize("name", USE_CASES)
def test_a_use_case_runs_by_configuration_alone(name: str, spark: SparkSession, root: Path) -> None:
    table, rows, metric, least = USE_CASES[name]
    where = [str(PROJECT / "conf" / name), "--set", f"environment.root={root}"]
    lakeloop("land", *where)

    printed = lakeloop("run", *where, "--json", "--set", "model.search.max_evals=3")

    found = json.loads(printed)["model"]
    assert found["champion"] and found["metrics"][metric] > least
    for layer in ("silver", "predictions"):
        assert DeltaTable(str(root / name / layer / table)).to_pyarrow_table().num_rows == rows, layer
    assert DeltaTable(str(root / name / "quarantine" / table)).to_pyarrow_table().num_rows == 0


def test_jobs_run_by_spark_submit_and_change_nothing_again(spark: SparkSession, tmp_path: Path) -> None:
    where = [str(PROJECT / "conf/wine"), "--set", f"environment.root={tmp_path}"]
    lakeloop("land", *where)
    where += [word for key, value in SPARK.items() for word in ("--set", f"environment.spark.{key}={value}")]
    where += ["--env", "local", "--json"]
    submit = str(Path(sys.executable).with_name("spark-submit"))

    def actions(printed: str) -> set[str]:
        return {item["action"] for item in json.loads(printed[printed.index("{") :])["tables"]}

    for stage in ("bronze", "silver"):
        done = run([submit, f"jobs/{stage}.py", *where])
        assert done.returncode == 0, done.stderr[-3000:]
        assert actions(done.stdout) == {"created"}
        assert actions(lakeloop(stage, *where)) == {"unchanged"}


def test_a_use_case_takes_some_forty_lines() -> None:
    lengths = {name: len((PROJECT / f"conf/{name}/pipeline.yml").read_text().splitlines()) for name in USE_CASES}
    assert max(lengths.values()) <= 40, lengths
