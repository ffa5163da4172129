"""The search for algorithm and hyperparameters; the only door to Hyperopt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from lakeloop.errors import LakeloopError
from lakeloop.modelling import metrics
from lakeloop.modelling.dataset import Columns, Parts
from lakeloop.modelling.estimators import Own, make, search_space
from lakeloop.modelling.predictor import Predictor
from lakeloop.modelling.spark_trials import distributes, parallel, shared, spark_trials
from lakeloop.tracking import Trial

# From the numbers of new trials, the domain, the trials and a seed: the new trials.
Suggest = Callable[[Sequence[int], Any, Any, int], Any]

IN_THIS_PROCESS = (
    "Spark Connect has no Spark context, which SparkTrials needs: the search runs in this process, one trial at a time."
)

# Seconds between two looks at whether a trial has ended.
_WAIT = 0.05


@dataclass(frozen=True)
class Task:
    """What each trial fits and is judged by."""

    task: str
    metric: str
    columns: Columns
    classes: list[Any] | None
    seed: int
    owned: Mapping[str, Own] = field(default_factory=dict)


def search(
    spark: SparkSession,
    task: Task,
    train: Parts,
    validation: Parts,
    algorithms: Sequence[str],
    max_evals: int,
    parallelism: int | str,
    progress: Callable[[int, float | None], None],
    say: Callable[[str], object] = lambda text: None,
) -> list[Trial]:
    """The finished trials, in order; distributed by SparkTrials, on Spark Connect in this process.

    ``progress`` is told the number of finished trials and the best value of the metric so far, ``say`` where they run
    if it is not on Spark's workers.
    """
    from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, tpe

    if not distributes(spark):
        say(IN_THIS_PROCESS)
    share = shared(spark, (train, validation))

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

    told = 0

    def watch(trials: Any, *_: object) -> tuple[bool, list[object]]:
        nonlocal told
        losses = [item["loss"] for item in trials.results if item.get("status") == STATUS_OK]
        if len(losses) > told:
            told = len(losses)
            progress(told, metrics.loss(task.metric, min(losses)))
        return False, []

    space = search_space(algorithms, task.owned)
    at_a_time = parallel(spark, parallelism)
    distributed = spark_trials(spark, at_a_time)
    # An empty SparkTrials is false, so it must be compared with None.
    trials = Trials() if distributed is None else distributed
    for name in ("hyperopt-spark", "hyperopt"):
        logging.getLogger(name).setLevel(logging.ERROR)
    fmin(
        objective,
        space,
        # One more, for while so many run, the next one waits in the queue.
        algo=in_order(tpe.suggest, at_a_time + 1),
        max_evals=max_evals,
        trials=trials,
        rstate=np.random.default_rng(task.seed),
        show_progressbar=False,
        early_stop_fn=watch,
        return_argmin=False,
        verbose=False,
    )
    watch(trials)
    found = [_trial(item, space) for item in trials.trials]
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
    pipeline = make(task.task, params, columns.numeric, columns.categorical, task.seed, threads, task.owned)
    pipeline.fit(rows.inputs, rows.truth)
    return Predictor(task.task, pipeline, columns.numeric, columns.categorical, task.classes)


def fit_and_judge(task: Task, params: Mapping[str, Any], rows: Parts, judged: Parts) -> dict[str, float]:
    """The metrics on ``judged`` of a predictor fitted on ``rows``."""
    return metrics.evaluate(task.task, judged.truth, fit(task, params, rows).scores(judged.inputs))


def in_order(suggest: Suggest, ahead: int) -> Suggest:
    """``suggest`` as a function of the trials' numbers, not of the moment at which each ends.

    A suggestion is made from the outcomes of all trials but the last ``ahead``, which count as running whether they
    still do or not; it waits for those that are to be known. So each run suggests the same, whatever the machine does.
    """
    from hyperopt import JOB_STATE_DONE, JOB_STATE_NEW, JOB_STATE_RUNNING, STATUS_NEW, trials_from_docs

    def runs(trial: Mapping[str, Any]) -> bool:
        # SparkTrials says that a trial is done a moment before it says what came of it.
        untold = trial["state"] == JOB_STATE_DONE and trial["result"].get("status") == STATUS_NEW
        return untold or trial["state"] in (JOB_STATE_NEW, JOB_STATE_RUNNING)

    def suggested(new_ids: Sequence[int], domain: Any, trials: Any, seed: int) -> Any:
        known = new_ids[0] - ahead
        awaited = [doc for doc in trials.trials if doc["tid"] < known]
        while any(map(runs, awaited)):
            time.sleep(_WAIT)
        seen = [doc if doc["tid"] < known else {**doc, "result": domain.new_result()} for doc in trials.trials]
        return suggest(new_ids, domain, trials_from_docs(seen, validate=False), seed)

    return suggested


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
