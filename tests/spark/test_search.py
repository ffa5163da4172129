"""The search runs on Spark's workers, which are kept from one trial to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from lakeloop.modelling import tuning
from lakeloop.modelling.dataset import Columns, Parts


@pytest.mark.classic("it has no Spark context, which SparkTrials needs")
def test_trials_run_in_other_processes_that_serve_again(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def where(task: tuning.Task, params: Mapping[str, Any], rows: Parts, judged: Parts) -> dict[str, float]:
        return {"roc_auc": 0.5 + len(rows.inputs) / 1000, "process": os.getpid()}

    monkeypatch.setattr(tuning, "fit_and_judge", where)
    rows = Parts(pd.DataFrame({"x": np.arange(100.0)}), np.zeros(100))
    task = tuning.Task("binary", "roc_auc", Columns(["x"], []), [False, True], 1)
    seen: list[int] = []

    trials = tuning.search(spark, task, rows, rows, ["lightgbm"], 4, 2, lambda done, best: seen.append(done))

    assert [trial.metrics["roc_auc"] for trial in trials] == [0.6] * 4
    processes = {trial.metrics["process"] for trial in trials}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    assert seen[-1] == 4
