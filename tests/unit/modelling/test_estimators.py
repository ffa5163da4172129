"""Every algorithm fits and predicts raw columns, with missing values and categories never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hyperopt.pyll.stochastic import sample

from lakeloop.config.model import ALGORITHMS, Model
from lakeloop.modelling.estimators import MOST_CATEGORIES, NAIVE, make, search_space
from lakeloop.modelling.predictor import Predictor, prepared

NUMERIC, CATEGORICAL = ["size", "empty", "always"], ["colour", "void", "same"]
SMALL: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 5, "min_child_samples": 2},
    "xgboost": {"n_estimators": 5},
    "logistic_regression": {"C": 10.0},
    "ridge": {"alpha": 0.1},
    NAIVE: {},
}
CLASSES = {"binary": [False, True], "multiclass": ["late", "on time", "early"], "regression": None}
CASES = [
    *[(task, name) for task in ("binary", "multiclass") for name in (*ALGORITHMS, NAIVE)],
    *[("regression", name) for name in ("lightgbm", "xgboost", "ridge", NAIVE)],
]

# Size alone tells the class: below 20, below 40, above; every fifth is missing.
TRAINING = pd.DataFrame(
    {
        "size": [None if i % 5 == 4 else float(i) for i in range(60)],
        "empty": [None] * 60,
        "colour": [None if i % 7 == 0 else "red" if i % 2 else "blue" for i in range(60)],
        "void": pd.Series([None] * 60, dtype=object),
        "always": [7.0] * 60,
        "same": ["x"] * 60,
    }
)
# Colours that the training did not have, and missing values in each column.
NEW = pd.DataFrame(
    {
        "colour": ["green", None, "red"],
        "void": ["something", None, None],
        "size": [1.0, None, 59.0],
        "empty": [None, 3.0, None],
        "always": [7.0, 8.0, None],
        "same": ["x", "y", None],
        "unused": [1, 2, 3],
    }
)


def _truth(task: str) -> np.ndarray:
    steps = np.arange(60) // 20
    return {"binary": (steps > 0).astype(int), "multiclass": steps, "regression": np.arange(60.0)}[task]


def _fitted(task: str, algorithm: str) -> Predictor:
    pipeline = make(task, {"algorithm": algorithm, **SMALL[algorithm]}, NUMERIC, CATEGORICAL, seed=1)
    pipeline.fit(prepared(TRAINING, NUMERIC, CATEGORICAL), _truth(task))
    return Predictor(task, pipeline, NUMERIC, CATEGORICAL, CLASSES[task])


@pytest.mark.parametrize(("task", "algorithm"), CASES)
def test_each_algorithm_predicts_rows_that_are_unlike_the_training(task: str, algorithm: str) -> None:
    found = _fitted(task, algorithm).predict(NEW)
    assert len(found) == 3
    if task == "regression":
        assert list(found) == ["prediction"]
        assert np.isfinite(found["prediction"]).all()
        return
    assert list(found) == ["prediction", "probability"]
    assert set(found["prediction"]) <= set(CLASSES[task] or ())
    assert found["probability"].between(0, 1).all()


@pytest.mark.parametrize(("task", "algorithm"), [case for case in CASES if case[1] != NAIVE])
def test_each_algorithm_learns_what_there_is_to_learn(task: str, algorithm: str) -> None:
    small, great = _fitted(task, algorithm).predict(NEW)["prediction"].iloc[[0, 2]]
    expected = {"binary": (False, True), "multiclass": ("late", "early")}
    if task == "regression":
        assert small < 25 < 35 < great
    else:
        assert (small, great) == expected[task]


def test_the_binary_probability_is_of_the_positive_class() -> None:
    found = _fitted("binary", "logistic_regression").predict(NEW)
    assert found["probability"].iloc[0] < 0.5 < found["probability"].iloc[2]


def test_the_multiclass_probability_is_of_the_predicted_class() -> None:
    predictor = _fitted("multiclass", "logistic_regression")
    assert predictor.scores(NEW).sum(axis=1) == pytest.approx(1)
    assert predictor.predict(NEW)["probability"].tolist() == predictor.scores(NEW).max(axis=1).tolist()


@pytest.mark.parametrize(
    ("task", "expected"), [("binary", 2 / 3), ("multiclass", [1 / 3, 1 / 3, 1 / 3]), ("regression", 29.5)]
)
def test_the_naive_model_says_the_same_of_every_row(task: str, expected: Any) -> None:
    scores = _fitted(task, NAIVE).scores(NEW)
    assert scores.tolist() == [pytest.approx(expected)] * 3


def test_the_order_of_the_columns_and_other_columns_do_not_matter() -> None:
    predictor = _fitted("binary", "lightgbm")
    assert (
        predictor.scores(NEW).tolist()
        == predictor.scores(NEW[["void", "same", "empty", "always", "size", "colour"]]).tolist()
    )


def test_rows_keep_their_order_whatever_their_index() -> None:
    predictor = _fitted("regression", "ridge")
    shuffled = NEW.set_axis([9, 9, 4], axis=0)
    assert predictor.predict(shuffled)["prediction"].tolist() == predictor.scores(NEW).tolist()


@pytest.mark.parametrize("algorithm", ["lightgbm", "xgboost"])
def test_the_same_seed_gives_the_same_model(algorithm: str) -> None:
    assert _fitted("binary", algorithm).scores(NEW).tolist() == _fitted("binary", algorithm).scores(NEW).tolist()


@pytest.mark.parametrize("algorithm", ["lightgbm", "logistic_regression"])
def test_more_categories_than_are_kept_are_fitted_and_predicted(algorithm: str) -> None:
    names = [f"c{i % (MOST_CATEGORIES + 50)}" for i in range(700)]
    rows = pd.DataFrame({"name": [*names[:-1], None]})
    pipeline = make("binary", {"algorithm": algorithm, **SMALL[algorithm]}, [], ["name"], seed=1)
    pipeline.fit(prepared(rows, [], ["name"]), np.arange(700) % 2)
    new = pd.DataFrame({"name": ["c1", "never", None]})
    assert np.isfinite(Predictor("binary", pipeline, [], ["name"], [False, True]).scores(new)).all()


def test_an_algorithm_that_cannot_do_a_task_is_refused() -> None:
    with pytest.raises(ValueError, match="logistic_regression cannot do regression"):
        make("regression", {"algorithm": "logistic_regression"}, ["x"], [], seed=1)


def test_prepared_columns_are_floats_and_objects() -> None:
    rows = pd.DataFrame({"a": [True, None, "x"], "b": [float("nan"), "t", None], "c": [1, 2, 3]})
    found = prepared(rows, ["a", "c"], ["b"])
    assert list(found) == ["a", "c", "b"]
    assert found["a"].dtype == found["c"].dtype == np.float64
    assert found["a"].fillna(-1).tolist() == [1.0, -1.0, -1.0]
    assert found["b"].tolist() == [None, "t", None]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_what_the_search_draws_can_be_made(task: str) -> None:
    model = Model.model_validate({"task": task, "spine": "gold.x", "label": "y"})
    for name in model.algorithm_names():
        for seed in range(3):
            drawn = sample(search_space([name]), rng=np.random.default_rng(seed))
            assert drawn["algorithm"] == name
            assert make(task, drawn, ["x"], [], seed=1).named_steps["model"] is not None
