"""The gate: which checks a model must pass before it becomes champion. What was not checked has not passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lakeloop.config.model import Gate
from lakeloop.modelling.metrics import SMALLER_IS_BETTER, better


@dataclass(frozen=True)
class Check:
    """One question of the gate and its answer."""

    name: str
    passed: bool
    detail: str


def decide(
    gate: Gate,
    metric: str,
    found: Mapping[str, float],
    naive: Mapping[str, float],
    champion: Mapping[str, float] | None,
    champion_exists: bool,
) -> list[Check]:
    """The gate's checks on a model with test metrics ``found``.

    ``naive`` and ``champion`` are the test metrics of the models to beat on the same rows; a champion that exists
    but could not be judged fails the check.
    """
    checks = [_minimum(name, bound, found.get(name)) for name, bound in gate.minimum.items()]
    if "naive" in gate.beat:
        checks.append(_beats("the naive model", metric, found, naive))
    if "champion" in gate.beat and champion_exists:
        checks.append(_beats("the champion", metric, found, champion or {}))
    return checks


def _minimum(name: str, bound: float, value: float | None) -> Check:
    if value is None or math.isnan(value):
        return Check(f"minimum {name}", False, f"{name} could not be computed")
    if name in SMALLER_IS_BETTER:
        return Check(f"maximum {name}", value <= bound, f"{name} {value:.4f}, at most {bound:g} is allowed")
    return Check(f"minimum {name}", value >= bound, f"{name} {value:.4f}, at least {bound:g} is asked for")


def _beats(whom: str, metric: str, found: Mapping[str, float], other: Mapping[str, float]) -> Check:
    mine, theirs = found.get(metric, math.nan), other.get(metric, math.nan)
    if math.isnan(mine) or math.isnan(theirs):
        return Check(f"beats {whom}", False, f"{metric} of one of them could not be computed")
    gap = abs(mine - theirs)
    if better(metric, mine, theirs):
        return Check(f"beats {whom}", True, f"{metric} {mine:.4f} against {theirs:.4f}, better by {gap:.4f}")
    return Check(f"beats {whom}", False, f"{metric} {mine:.4f} against {theirs:.4f}, short by {gap:.4f}")
