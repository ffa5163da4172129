"""The gate fails closed: what was not computed, or could not be compared, has not passed."""

from __future__ import annotations

from math import inf, nan

import pytest

from lakeloop.config.model import Gate
from lakeloop.modelling.gate import Check, decide


def _passed(checks: list[Check]) -> dict[str, bool]:
    return {check.name: check.passed for check in checks}


def test_a_model_that_is_better_than_all_passes() -> None:
    checks = decide(
        Gate(minimum={"roc_auc": 0.65}),
        "roc_auc",
        {"roc_auc": 0.7},
        {"roc_auc": 0.5},
        {"roc_auc": 0.69},
        True,
    )
    assert checks == [
        Check("minimum roc_auc", True, "roc_auc 0.7000, at least 0.65 is asked for"),
        Check("beats the naive model", True, "roc_auc 0.7000 against 0.5000, better by 0.2000"),
        Check("beats the champion", True, "roc_auc 0.7000 against 0.6900, better by 0.0100"),
    ]


def test_a_minimum_is_enough_when_it_is_met_exactly() -> None:
    gate = Gate(minimum={"roc_auc": 0.65}, beat=[])
    assert _passed(decide(gate, "roc_auc", {"roc_auc": 0.65}, {}, None, False)) == {"minimum roc_auc": True}
    assert _passed(decide(gate, "roc_auc", {"roc_auc": 0.6499}, {}, None, False)) == {"minimum roc_auc": False}


def test_a_metric_where_smaller_is_better_has_a_maximum() -> None:
    gate = Gate(minimum={"log_loss": 0.5})
    good = decide(gate, "log_loss", {"log_loss": 0.4}, {"log_loss": 0.6}, {"log_loss": 0.45}, True)
    assert _passed(good) == {
        "maximum log_loss": True,
        "beats the naive model": True,
        "beats the champion": True,
    }
    bad = decide(gate, "log_loss", {"log_loss": 0.7}, {"log_loss": 0.6}, {"log_loss": 0.45}, True)
    assert not any(check.passed for check in bad)


def test_as_good_as_the_champion_is_not_better() -> None:
    checks = decide(Gate(beat=["champion"]), "roc_auc", {"roc_auc": 0.7}, {}, {"roc_auc": 0.7}, True)
    assert _passed(checks) == {"beats the champion": False}


@pytest.mark.parametrize("found", [{}, {"roc_auc": nan}, {"accuracy_score": 0.9}])
def test_a_metric_that_was_not_computed_fails_every_check(found: dict[str, float]) -> None:
    checks = decide(Gate(minimum={"roc_auc": 0.0}), "roc_auc", found, {"roc_auc": 0.5}, {"roc_auc": 0.5}, True)
    assert len(checks) == 3
    assert not any(check.passed for check in checks)


@pytest.mark.parametrize("other", [{}, {"roc_auc": nan}])
def test_a_naive_model_without_the_metric_is_not_beaten(other: dict[str, float]) -> None:
    checks = decide(Gate(beat=["naive"]), "roc_auc", {"roc_auc": 0.9}, other, None, False)
    assert _passed(checks) == {"beats the naive model": False}


@pytest.mark.parametrize("champion", [None, {}, {"roc_auc": nan}])
def test_a_champion_that_could_not_be_judged_is_not_beaten(champion: dict[str, float] | None) -> None:
    checks = decide(Gate(beat=["champion"]), "roc_auc", {"roc_auc": 0.9}, {"roc_auc": 0.5}, champion, True)
    assert _passed(checks) == {"beats the champion": False}


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_bound_that_is_no_number_lets_nothing_pass(metric: str) -> None:
    checks = decide(Gate(minimum={metric: nan}, beat=[]), metric, {metric: 0.9}, {}, None, False)
    assert [check.passed for check in checks] == [False]


def test_an_endless_loss_is_not_better() -> None:
    checks = decide(Gate(beat=["naive"]), "log_loss", {"log_loss": inf}, {"log_loss": inf}, None, False)
    assert [check.passed for check in checks] == [False]


def test_the_first_model_has_no_champion_to_beat() -> None:
    checks = decide(Gate(), "roc_auc", {"roc_auc": 0.6}, {"roc_auc": 0.5}, None, False)
    assert _passed(checks) == {"beats the naive model": True}
