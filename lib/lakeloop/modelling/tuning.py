"""The search for algorithm and hyperparameters; the only door to Hyperopt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from lakeloop.errors import LakeloopError
from lakeloop.modelling import metrics
from lakeloop.modelling.dataset import Columns, Parts
from lakeloop.modelling.estimators import make, search_space
from lakeloop.modelling.predictor import Predictor
from lakeloop.modelling.spark_trials import spark_trials
from lakeloop.tracking import Trial


@dataclass(frozen=True)
class Task:
    """What each trial fits and is judged by."""

    task: str
    metric: str
    columns: Columns
    classes: list[Any] | None
    seed: int


def search(
    spark: SparkSession,
    task: Task,
    train: Parts,
    validation: Parts,
    algorithms: Sequence[str],
    max_evals: int,
    parallelism: int | str,
    progress: Callable[[int, float | None], None],
) -> list[Trial]:
    """The finished trials, in order; distributed by SparkTrials, on Spark Connect in this process.

    ``progress`` is told the number of finished trials and the best value of the metric so far.
    """
    from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, tpe

    share = _broadcast(spark, (train, validation))

    def objective(params: Mapping[str, Any]) -> dict[str, Any]:
        fitted, judged = share()
        try:
            found = fit_and_judge(task, params, fitted, judged)
        except Exception as error:
            return {"status": STATUS_FAIL, "loss": None, "failure": str(error)[:500]}
        value = found.get(task.metric, float("nan"))
        if not np.isfinite(value):
            return {"status": STATUS_FAIL, "loss": None, "failure": f"{task.metric} is {value}"}
        return {"status": STATUS_OK, "loss": metrics.loss(task.metric, value), "metrics": found}

    def watch(trials: Any, *_: object) -> tuple[bool, list[object]]:
        losses = [item["loss"] for item in trials.results if item.get("status") == STATUS_OK]
        progress(len(losses), metrics.loss(task.metric, min(losses)) if losses else None)
        return False, []

    distributed = spark_trials(spark, parallelism)
    # An empty SparkTrials is false, so it must be compared with None.
    trials = Trials() if distributed is None else distributed
    for name in ("hyperopt-spark", "hyperopt"):
        logging.getLogger(name).setLevel(logging.ERROR)
    fmin(
        objective,
        search_space(algorithms),
        algo=tpe.suggest,
        max_evals=max_evals,
        trials=trials,
        max_queue_len=1 if distributed is None else distributed.parallelism,
        rstate=np.random.default_rng(task.seed),
        show_progressbar=False,
        early_stop_fn=watch,
        return_argmin=False,
        verbose=False,
    )
    found = [_trial(item, search_space(algorithms)) for item in trials.trials]
    if all(trial.failed for trial in found):
        reason = next((item["result"].get("failure") for item in trials.trials), "")
        raise LakeloopError(f"All {len(found)} trials of the search failed; the first one said: {reason}")
    return found


def best(trials: Sequence[Trial], metric: str) -> Trial:
    """The trial with the best value of the metric, the earlier one of two alike."""
    return min(
        (trial for trial in trials if not trial.failed),
        key=lambda trial: (metrics.loss(metric, trial.metrics[metric]), trial.number),
    )


def fit(task: Task, params: Mapping[str, Any], rows: Parts, threads: int = 1) -> Predictor:
    """A predictor fitted on ``rows``."""
    columns = task.columns
    pipeline = make(task.task, params, columns.numeric, columns.categorical, task.seed, threads)
    pipeline.fit(rows.inputs, rows.truth)
    return Predictor(task.task, pipeline, columns.numeric, columns.categorical, task.classes)


def fit_and_judge(task: Task, params: Mapping[str, Any], rows: Parts, judged: Parts) -> dict[str, float]:
    """The metrics on ``judged`` of a predictor fitted on ``rows``."""
    return metrics.evaluate(task.task, judged.truth, fit(task, params, rows).scores(judged.inputs))


def _broadcast(spark: SparkSession, value: Any) -> Callable[[], Any]:
    """A function that gives ``value`` wherever a trial runs, sent to each machine once."""
    try:
        shared = spark.sparkContext.broadcast(value)
    except Exception:
        return lambda: value
    return lambda: shared.value


def _trial(item: Mapping[str, Any], space: Any) -> Trial:
    from hyperopt import space_eval

    chosen = {name: values[0] for name, values in item["misc"]["vals"].items() if values}
    params = {name: value for name, value in space_eval(space, chosen).items()}
    result = item["result"]
    return Trial(
        item["tid"],
        params,
        result.get("metrics", {}),
        result.get("status") != "ok",
        _milliseconds(item["book_time"]),
        _milliseconds(item["refresh_time"]),
    )


def _milliseconds(moment: datetime | None) -> int:
    """Hyperopt's times are UTC without saying so."""
    moment = moment or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000)
