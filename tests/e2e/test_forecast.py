"""A forecast from raw file to judged predictions, and what later days change of it. Two runs, about a minute."""

from __future__ import annotations

import json
import math
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from small_lakehouse import run

from lakeloop.stages import STAGES

PIPELINE = """
pipeline: sales
sources:
  sales: {path: sales/*.csv, key: [day, store], columns: {day: timestamp, store: string, sold: double}}
gold:
  daily:
    sql: SELECT day, store, sold, dayofweek(day) AS weekday FROM silver.sales
    key: [day, store]
    time: day
    increment_by: day
features:
  sold: {entity: store, from: gold.daily, time: day, lags: [7 days], windows: [28 days], measures: {mean: avg(sold)}}
model:
  task: forecast
  spine: gold.daily
  entity: store
  label: sold
  horizon: 7 days
  season: 7 days
  algorithms: [ridge]
  split: {validation: 28 days, test: 56 days}
  search: {max_evals: 1}
monitoring: {window: 1 week, minimum_rows: 5}
"""
ENVIRONMENT = """
root: {root}
master: local[2]
spark:
  spark.ui.enabled: false
  spark.sql.shuffle.partitions: 2
  spark.databricks.delta.snapshotPartitions: 1
  spark.driver.extraJavaOptions: -XX:TieredStopAtLevel=1 -XX:+UseParallelGC
"""
MONDAY = date(2024, 1, 1)


def land(root: Path, first: int, last: int) -> None:
    """The sales of two stores on some days: a trend, and noise that a mean is better at than last week's value."""
    lines = ["day,store,sold"]
    for number in range(first, last):
        for place, store in enumerate("ab"):
            noise = 20 * math.sin(number * number * 1.7 + place)
            lines.append(f"{MONDAY + timedelta(days=number)},{store},{100 + number / 10 + 50 * place + noise:.2f}")
    file = root / "landing" / "sales" / f"{first:03d}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def stages(root: Path, *names: str) -> dict[str, Any]:
    """Runs some stages in one process; what it tells."""
    given = f"{str(root / 'conf' / 'sales')!r}, 'local', [], {names}, True, False"
    code = f"from lakeloop.cli import _stages; _stages({given})"
    done = run([sys.executable, "-c", code])
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def judged(root: Path) -> dict[date, int]:
    """How many outcomes are known of each week's predictions."""
    rows = DeltaTable(str(root / "sales/monitoring/daily_profile_metrics")).to_pyarrow_table().to_pylist()
    return {
        row["window"]["start"].date(): row["label_count"]
        for row in rows
        if row["log_type"] == "INPUT" and row["column_name"] == ":table"
    }


def test_a_forecast_is_made_and_judged_when_its_day_has_come(tmp_path: Path) -> None:
    for file, text in {"sales/pipeline.yml": PIPELINE, "env/local.yml": ENVIRONMENT.format(root=tmp_path)}.items():
        (tmp_path / "conf" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / file).write_text(text, encoding="utf-8")
    land(tmp_path, 0, 280)

    model = stages(tmp_path, *STAGES)["model"]

    metric = "root_mean_squared_error"
    assert model["champion"] and model["metrics"][metric] < model["naive"][metric]
    last, before = MONDAY + timedelta(days=273), MONDAY + timedelta(days=266)
    assert (judged(tmp_path)[before], judged(tmp_path)[last]) == (14, 0)
    rows = DeltaTable(str(tmp_path / "sales/predictions/daily")).to_pyarrow_table().to_pylist()
    assert len(rows) == 560 and all(row["prediction"] is not None for row in rows)
    newest = max(rows, key=lambda row: row["day"])
    assert newest["forecast_for"] - newest["day"] == timedelta(days=7)

    land(tmp_path, 280, 284)
    told = stages(tmp_path, *[stage for stage in STAGES if stage != "train"])
    assert {item["action"] for item in told["tables"]} <= {"updated", "unchanged"}
    found = judged(tmp_path)
    assert (found[before], found[last], found[last + timedelta(days=7)]) == (14, 8, 0)
