"""A search suggests the same trials in each run, in whatever order its parallel trials end."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import mean
from threading import Thread
from typing import Any

from hyperopt import JOB_STATE_DONE, JOB_STATE_RUNNING, STATUS_OK, Trials, hp, tpe
from hyperopt.base import Domain

from lakeloop.modelling.tuning import Suggest, in_order

SPACE = {"x": hp.uniform("x", -5, 5), "kind": hp.choice("kind", ["a", "b"])}


def suggested(suggest: Suggest, slow: Callable[[int], bool], parallelism: int = 2, count: int = 32) -> list[float]:
    """The values of x of some trials, so many at a time, of which some are slow."""
    domain, trials = Domain(lambda _: 0.0, SPACE), Trials()

    def run(trial: Any, seconds: float) -> None:
        time.sleep(seconds)
        trial["state"] = JOB_STATE_DONE
        trial["result"] = {"status": STATUS_OK, "loss": trial["misc"]["vals"]["x"][0] ** 2}

    for number in range(count):
        while sum(trial["state"] == JOB_STATE_RUNNING for trial in trials.trials) >= parallelism:
            time.sleep(0.001)
        trials.insert_trial_docs(suggest(trials.new_trial_ids(1), domain, trials, number))
        trials.refresh()
        trials.trials[-1]["state"] = JOB_STATE_RUNNING
        Thread(target=run, args=(trials.trials[-1], 0.03 if slow(number) else 0.0)).start()
    return [float(trial["misc"]["vals"]["x"][0]) for trial in trials.trials]


def odd(number: int) -> bool:
    return number % 2 == 1


def even(number: int) -> bool:
    return number % 2 == 0


def test_the_same_trials_are_suggested_whichever_ends_first() -> None:
    one, other = (suggested(in_order(tpe.suggest, 3), slow) for slow in (odd, even))
    assert one == other
    # It learns: what comes after the twenty random ones is nearer to the least.
    assert mean(map(abs, one[20:])) < mean(map(abs, one[:20]))


def test_hyperopt_alone_goes_by_the_clock() -> None:
    one, other = (suggested(tpe.suggest, slow) for slow in (odd, even))
    assert one[:20] == other[:20] and one != other


def test_a_suggestion_waits_for_what_it_is_made_from() -> None:
    many = suggested(in_order(tpe.suggest, 1), lambda _: True, parallelism=4)
    assert many == suggested(in_order(tpe.suggest, 1), lambda _: False, parallelism=1)
