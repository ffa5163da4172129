"""The estimators that are tried, each with its search space and the way it wants its columns prepared."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from lakeloop.config.functions import Function
from lakeloop.modelling.predictor import Steps

# Threads that wait for each other sleep; by default they spin, and on a busy machine a fit takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

NAIVE = "naive"

# A category that the training did not have is a value of its own, not an error: new destinations open.
MOST_CATEGORIES = 254


@dataclass(frozen=True)
class Own:
    """An algorithm of the user's: ``function`` of the task and the seed makes an unfitted estimator; ``space`` says
    what is searched."""

    function: Callable[[str, int], Any]
    space: Mapping[str, Any]

    def estimator(self, task: str, seed: int, params: Mapping[str, Any]) -> Any:
        made = self.function(task, seed)[0]
        # scikit-learn's returns the estimator itself, others may return nothing.
        return made.set_params(**params) or made


def own(function: Function, task: str, seed: int) -> Own:
    """What a Python function gives, looked at; ConfigurationError says what it lacks."""
    found = function(task, seed)
    what = f"{function.name}, which returns a {type(found).__name__}"
    expected = "a function that returns a tuple: an estimator, and a mapping from parameters to what is searched"
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
        raise function.wrong(what, expected, "such as (Ridge(), {'alpha': (0.01, 100.0, 'log')})")
    estimator, space = found
    needed = ("fit", "set_params", "predict" if task == "regression" else "predict_proba")
    lacking = [name for name in needed if not callable(getattr(estimator, name, None))]
    if lacking:
        what = f"{function.name}, whose {type(estimator).__name__} has no {', '.join(lacking)}"
        raise function.wrong(what, f"an estimator with {', '.join(needed)} for task {task}")
    for name, given in space.items():
        try:
            _searched(name, given)
        except ValueError as error:
            raise function.wrong(f"{function.name}, which says {name}: {given!r}", str(error)) from error
    # The bare function travels to the workers, not what the configuration says of it.
    return Own(function.call, space)


def _searched(label: str, given: Any) -> Any:
    """A parameter's part of a Hyperopt space."""
    from hyperopt import hp
    from hyperopt.pyll import scope

    if isinstance(given, list) and given:
        return hp.choice(label, given)
    if isinstance(given, tuple) and given[2:] in ((), ("log",)) and all(_is_number(end) for end in given[:2]):
        low, high = given[:2]
        if low < high and (len(given) == 2 or low > 0):
            if len(given) == 3:
                number = hp.loguniform(label, np.log(low), np.log(high))
                return scope.int(number) if isinstance(low, int) and isinstance(high, int) else number
            if isinstance(low, int) and isinstance(high, int):
                return scope.int(hp.quniform(label, low, high, 1))
            return hp.uniform(label, low, high)
    raise ValueError("a list of values, (low, high) or (low, high, 'log'); whole numbers stay whole")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def search_space(algorithms: Sequence[str], owned: Mapping[str, Own] | None = None) -> Any:
    """A Hyperopt space: the choice of an algorithm, and under it that algorithm's own parameters."""
    from hyperopt import hp
    from hyperopt.pyll import scope

    def whole(name: str, low: int, high: int, step: int = 1) -> Any:
        return scope.int(hp.quniform(name, low, high, step))

    spaces: dict[str, dict[str, Any]] = {
        "lightgbm": {
            "n_estimators": whole("lightgbm.n_estimators", 100, 400, 50),
            "learning_rate": hp.loguniform("lightgbm.learning_rate", np.log(0.02), np.log(0.15)),
            "num_leaves": whole("lightgbm.num_leaves", 15, 63, 8),
            "min_child_samples": whole("lightgbm.min_child_samples", 10, 200, 10),
            "colsample_bytree": hp.uniform("lightgbm.colsample_bytree", 0.4, 1.0),
            "reg_lambda": hp.loguniform("lightgbm.reg_lambda", np.log(0.01), np.log(30)),
        },
        "xgboost": {
            "n_estimators": whole("xgboost.n_estimators", 100, 400, 50),
            "learning_rate": hp.loguniform("xgboost.learning_rate", np.log(0.02), np.log(0.15)),
            "max_depth": whole("xgboost.max_depth", 3, 8),
            "min_child_weight": hp.loguniform("xgboost.min_child_weight", np.log(1), np.log(50)),
            "colsample_bytree": hp.uniform("xgboost.colsample_bytree", 0.4, 1.0),
            "reg_lambda": hp.loguniform("xgboost.reg_lambda", np.log(0.1), np.log(30)),
        },
        "logistic_regression": {"C": hp.loguniform("logistic_regression.C", np.log(0.001), np.log(10))},
        "ridge": {"alpha": hp.loguniform("ridge.alpha", np.log(0.01), np.log(1000))},
    }
    for name, item in (owned or {}).items():
        spaces[name] = {key: _searched(f"{name}.{key}", given) for key, given in item.space.items()}
    return hp.choice("algorithm", [{"algorithm": name, **spaces[name]} for name in algorithms])


def make(
    task: str,
    params: Mapping[str, Any],
    numeric: Sequence[str],
    categorical: Sequence[str],
    seed: int,
    threads: int = 1,
    owned: Mapping[str, Own] | None = None,
) -> Pipeline | Steps:
    """An unfitted pipeline from raw columns to the estimator that ``params["algorithm"]`` names.

    The user's ``owned`` algorithms see what linear ones do: numbers, none missing, scaled; a column for each category.
    """
    options = dict(params)
    algorithm = options.pop("algorithm")
    if algorithm == NAIVE:
        model = DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
        return Pipeline([("columns", _nothing()), ("model", model)])
    if owned and algorithm in owned:
        columns = _for_linear(numeric, categorical)
        return Steps(columns, owned[algorithm].estimator(task, seed, options))
    linear = algorithm in ("logistic_regression", "ridge")
    columns = _for_linear(numeric, categorical) if linear else _for_trees(numeric, categorical)
    return Pipeline([("columns", columns), ("model", _estimator(task, algorithm, options, seed, threads))])


def _nothing() -> ColumnTransformer:
    """A naive model looks at no column."""
    return ColumnTransformer([], remainder="drop")


def _estimator(task: str, algorithm: str, options: dict[str, Any], seed: int, threads: int) -> Any:
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    if algorithm == "lightgbm":
        from lightgbm import LGBMClassifier, LGBMRegressor

        kind = LGBMRegressor if task == "regression" else LGBMClassifier
        return kind(
            **options,
            subsample=0.9,
            subsample_freq=1,
            random_state=seed,
            n_jobs=threads,
            deterministic=True,
            force_row_wise=True,
            verbosity=-1,
        )
    if algorithm == "xgboost":
        from xgboost import XGBClassifier, XGBRegressor

        kind = XGBRegressor if task == "regression" else XGBClassifier
        return kind(**options, subsample=0.9, tree_method="hist", random_state=seed, n_jobs=threads, verbosity=0)
    if algorithm == "ridge":
        return Ridge(**options)
    if algorithm == "logistic_regression" and task != "regression":
        return LogisticRegression(**options, max_iter=300, random_state=seed)
    raise ValueError(f"{algorithm} cannot do {task}")


def _for_trees(numeric: Sequence[str], categorical: Sequence[str]) -> ColumnTransformer:
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
        max_categories=MOST_CATEGORIES,
        dtype=np.float64,
    )
    return ColumnTransformer([("numeric", "passthrough", list(numeric)), ("categorical", codes, list(categorical))])


def _for_linear(numeric: Sequence[str], categorical: Sequence[str]) -> ColumnTransformer:
    numbers = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    classes = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False)
    return ColumnTransformer([("numeric", numbers, list(numeric)), ("categorical", classes, list(categorical))])
