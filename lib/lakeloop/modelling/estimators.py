"""The estimators that are tried, each with its search space and the way it wants its columns prepared."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

# Threads that wait for each other sleep; by default they spin, and on a busy machine a fit takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

NAIVE = "naive"

# A category that the training did not have is a value of its own, not an error: new destinations open.
MOST_CATEGORIES = 254


def search_space(algorithms: Sequence[str]) -> Any:
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
    return hp.choice("algorithm", [{"algorithm": name, **spaces[name]} for name in algorithms])


def make(
    task: str,
    params: Mapping[str, Any],
    numeric: Sequence[str],
    categorical: Sequence[str],
    seed: int,
    threads: int = 1,
) -> Pipeline:
    """An unfitted scikit-learn pipeline from raw columns to the estimator that ``params["algorithm"]`` names."""
    options = dict(params)
    algorithm = options.pop("algorithm")
    if algorithm == NAIVE:
        model = DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
        return Pipeline([("columns", _nothing()), ("model", model)])
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
