"""Where Spark has no context, as on Spark Connect, the search runs in this process and says so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from lakeloop.modelling import tuning
from lakeloop.modelling.dataset import Columns, Parts
from lakeloop.modelling.spark_trials import parallel


class Connected:
    """A session of Spark Connect: it refuses its context."""

    @property
    def sparkContext(self) -> Any:
        raise AttributeError("[JVM_ATTRIBUTE_NOT_SUPPORTED]")


def test_trials_run_here_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def where(task: tuning.Task, params: Mapping[str, Any], rows: Parts, judged: Parts) -> dict[str, float]:
        return {"roc_auc": 0.6, "process": os.getpid()}

    monkeypatch.setattr(tuning, "fit_and_judge", where)
    spark = cast(SparkSession, Connected())
    rows = Parts(pd.DataFrame({"x": [1.0, 2.0]}), np.zeros(2))
    task = tuning.Task("binary", "roc_auc", Columns(["x"], []), [False, True], 1)
    seen: list[int] = []
    said: list[str] = []

    trials = tuning.search(
        spark, task, rows, rows, ["lightgbm"], 3, 4, lambda done, best: seen.append(done), said.append
    )

    assert [trial.metrics["process"] for trial in trials] == [os.getpid()] * 3
    assert seen == [1, 2, 3]
    assert said == [
        "Spark Connect has no Spark context, which SparkTrials needs: the search runs in this process, one trial at a "
        "time."
    ]
    assert parallel(spark, "auto") == parallel(spark, 4) == 1
