"""Some weeks of the flights through the whole loop, once for all tests that need a lakehouse to look at."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from quick_spark import SPARK

from lakeloop.cli import main

PROJECT = Path(__file__).parent.parent
LAST_DAY, NEXT_DAY = "2013-01-24", "2013-01-25"

# Of the feature groups one of departures and one of arrivals: the others are made alike.
FEATURES = ["origin_departures", "plane_arrivals"]

# Small and quick: a few trials, a held-out part inside the weeks that there are, one window a feature.
SETTINGS: dict[str, Any] = {
    **{f"features.{name}.windows": ["6 hours"] for name in FEATURES},
    "model.split.test": "2013-01-18",
    "model.split.validation": "4 days",
    "model.search.max_evals": 4,
    "model.search.sample_rows": 5000,
    "monitoring.window": "1 week",
    "gate.minimum": {"roc_auc": 0.5},
    "environment.spark": SPARK,
}


def conf(root: Path) -> Path:
    """The use case's folder of the small lakehouse at ``root``: the flights', with SETTINGS."""
    return root / "conf" / "flights"


def _write_conf(root: Path) -> None:
    shutil.copytree(PROJECT / "conf", root / "conf")
    for file, prefix in (
        (conf(root) / "pipeline.yml", ""),
        (root / "conf" / "env" / "local.yml", "environment."),
    ):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in SETTINGS.items():
            if key.startswith("environment.") == bool(prefix):
                *path, last = key.removeprefix(prefix).split(".")
                place = data
                for part in path:
                    place = place[part]
                place[last] = value
        if "features" in data:
            data["features"] = {name: data["features"][name] for name in FEATURES}
        file.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def on(root: Path, command: str, *words: str) -> list[str]:
    """The arguments of a command on the small lakehouse at ``root``."""
    return [command, str(conf(root)), *words, "--set", f"environment.root={root}"]


def here(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line in this process, whose Spark session is there and warm; its output kept."""
    printed, told = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        code = main(list(words))
    return subprocess.CompletedProcess(words, code, printed.getvalue(), told.getvalue())


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A process in the project's folder, as in the activated environment; its output kept."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Java's options must be there before Spark begins.
    java = str(SPARK["spark.driver.extraJavaOptions"])
    environment = {**os.environ, "COLUMNS": "160", "PATH": path, "SPARK_SUBMIT_OPTS": java}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, env=environment)


@pytest.fixture(scope="session")
def small_lakehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a lakehouse on which land and run were done for some weeks."""
    root = tmp_path_factory.mktemp("lakehouse")
    _write_conf(root)
    landed = here(*on(root, "land", "--option", f"last={LAST_DAY}"))
    assert landed.returncode == 0, landed.stderr
    ran = here(*on(root, "run"))
    (root / "first-run.txt").write_text(ran.stdout, encoding="utf-8")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return root
