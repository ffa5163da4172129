"""What a task asks for must be there, and what it has no use for must not."""

from __future__ import annotations

import pytest

from ..conftest import Folder

FORECAST = (
    "  task: binary\n  spine: gold.sales\n  label: amount > 100",
    "  task: forecast\n  spine: gold.sales\n  label: amount\n  horizon: 7 days\n  season: 7 days\n  entity: order_id",
)


def test_a_forecast_is_judged_as_a_regression(conf: Folder) -> None:
    model = conf.settings(FORECAST).pipeline.model
    assert (model.kind, model.metric) == ("regression", "root_mean_squared_error")
    assert model.algorithm_names() == ["lightgbm", "xgboost", "ridge"]


@pytest.mark.parametrize(
    ("old", "new", "where", "found"),
    [
        ("  horizon: 7 days\n", "", "model.horizon", "nothing"),
        ("  horizon: 7 days\n", "  horizon: 0 days\n", "model.horizon", "0 days"),
        ("  season: 7 days\n", "  season: 0 hours\n", "model.season", "0 hours"),
        ("  entity: order_id", "  entity: country", "model.entity", "country"),
        ("  entity: order_id", "  split: {by: random}", "model.split.by", "random"),
    ],
)
def test_what_a_forecast_needs(conf: Folder, old: str, new: str, where: str, found: str) -> None:
    [problem] = conf.problems(conf.changed((FORECAST[0], FORECAST[1].replace(old, new))))
    assert (problem.where, problem.found) == (where, found)


def test_a_forecast_needs_the_spines_time(conf: Folder) -> None:
    problems = conf.problems(conf.changed(FORECAST, ("    time: ordered_at\nfeatures", "features")))
    assert "gold.sales.time" in [problem.where for problem in problems]


@pytest.mark.parametrize("key", ["horizon: 1 day", "season: 1 day", "entity: order_id"])
def test_what_only_a_forecast_has(conf: Folder, key: str) -> None:
    [problem] = conf.problems(conf.changed(("  task: binary", f"  task: binary\n  {key}")))
    assert (problem.where, problem.hint) == (f"model.{key.split(':')[0]}", "task: forecast has it")


@pytest.mark.parametrize(
    ("split", "where", "found"),
    [
        ("{by: group}", "model.split.group", "nothing"),
        ("{by: column}", "model.split.column", "nothing"),
        ("{by: random, group: country}", "model.split.group", "['country']"),
        ("{by: time, column: part}", "model.split.column", "part"),
    ],
)
def test_a_split_says_by_what(conf: Folder, split: str, where: str, found: str) -> None:
    [problem] = conf.problems(conf.changed(("  label: amount > 100", f"  label: amount > 100\n  split: {split}")))
    assert (problem.where, problem.found) == (where, found)


def test_a_feature_group_looks_somewhere(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("    windows: [7 days]\n", "")))
    assert (problem.where, problem.expected) == ("features.spending", "windows, such as [7 days], or lags")
    lag = "lags: [1 hour]\n    known_after: 1 day"
    [problem] = conf.problems(conf.changed(("windows: [7 days]", lag)))
    assert problem.expected == "lags of 1 day (known_after) or more: after 1 hour nothing is known yet"
