"""An estimator of the user's is searched, fitted and served like any other, also where its module is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hyperopt.pyll.stochastic import sample

from lakeloop.config import load
from lakeloop.config.functions import Function
from lakeloop.errors import ConfigurationError
from lakeloop.modelling.dataset import Columns, Parts
from lakeloop.modelling.estimators import own, search_space
from lakeloop.modelling.logged import Logged
from lakeloop.modelling.tuning import Task, fit

from ..conftest import Folder

MODULE = """
import numpy as np
from sklearn.base import BaseEstimator

from shrinking import shrunk


class Shrunk(BaseEstimator):
    def __init__(self, weight=1.0, depth=1):
        self.weight, self.depth = weight, depth

    def fit(self, rows, truth):
        self.mean_ = float(np.mean(truth))
        return self

    def predict(self, rows):
        return np.full(len(rows), shrunk(self.mean_, self.weight))


def make(task, seed):
    return Shrunk(), {"weight": (0.5, 2.0, "log"), "depth": (1, 3)}
"""
SHRINKING = "def shrunk(value, weight):\n    return value * weight\n"


def function(conf: Folder, module: str = MODULE) -> Function:
    folder = conf.changed(("task: binary", "task: regression\n  algorithms: ['estimators:make', ridge]"))
    (folder / "estimators.py").write_text(module, encoding="utf-8")
    (folder / "shrinking.py").write_text(SHRINKING, encoding="utf-8")
    return load(folder).functions["model.algorithms.estimators:make"]


def test_what_is_searched(conf: Folder) -> None:
    owned = {"estimators:make": own(function(conf), "regression", 1)}
    space = search_space(["estimators:make"], owned)
    drawn = [sample(space, rng=np.random.default_rng(seed)) for seed in range(20)]
    assert all(0.5 <= item["weight"] <= 2.0 and item["depth"] in (1, 2, 3) for item in drawn)
    assert {item["depth"] for item in drawn} == {1, 2, 3}
    assert {item["algorithm"] for item in drawn} == {"estimators:make"}


def test_a_saved_model_predicts_where_the_use_case_is_not(conf: Folder, tmp_path: Path) -> None:
    owned = {"estimators:make": own(function(conf), "regression", 1)}
    task = Task("regression", "root_mean_squared_error", Columns(["x"], []), None, 1, owned)
    rows = Parts(pd.DataFrame({"x": [1.0, np.nan, 3.0]}), np.array([1.0, 2.0, 6.0]))
    predictor = fit(task, {"algorithm": "estimators:make", "weight": 2.0, "depth": 1}, rows)
    mlflow.pyfunc.save_model(tmp_path / "model", python_model=Logged(predictor), pip_requirements=["numpy"])

    code = (
        "import sys, mlflow, pandas as pd\n"
        f"model = mlflow.pyfunc.load_model({str(tmp_path / 'model')!r})\n"
        "print(model.predict(pd.DataFrame({'x': [5.0]}))['prediction'][0], 'estimators' in sys.modules)"
    )
    lib = str(Path(__file__).parents[3] / "lib")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": lib}
    )
    assert done.stdout.split() == ["6.0", "False"], done.stderr


@pytest.mark.parametrize(
    ("made", "task", "found"),
    [
        ("Shrunk()", "regression", "estimators:make, which returns a Shrunk"),
        ("(Shrunk(), [1])", "regression", "estimators:make, which returns a tuple"),
        ("(Shrunk(), {})", "binary", "estimators:make, whose Shrunk has no predict_proba"),
        ("(1, {})", "regression", "estimators:make, whose int has no fit, set_params, predict"),
        ("(Shrunk(), {'weight': (2, 1)})", "regression", "estimators:make, which says weight: (2, 1)"),
        ("(Shrunk(), {'weight': (0, 1, 'log')})", "regression", "estimators:make, which says weight: (0, 1, 'log')"),
        ("(Shrunk(), {'weight': 1})", "regression", "estimators:make, which says weight: 1"),
    ],
)
def test_what_is_no_estimator_is_told(conf: Folder, made: str, task: str, found: str) -> None:
    module = MODULE.replace('Shrunk(), {"weight": (0.5, 2.0, "log"), "depth": (1, 3)}', made)
    with pytest.raises(ConfigurationError) as caught:
        own(function(conf, module), task, 1)
    [problem] = caught.value.problems
    assert (problem.where, problem.found) == ("model.algorithms.estimators:make", found)


def test_what_is_searched_may_be_a_list(conf: Folder) -> None:
    made: Any = "(Shrunk(), {'weight': [1, 5]})"
    module = MODULE.replace('Shrunk(), {"weight": (0.5, 2.0, "log"), "depth": (1, 3)}', made)
    space = search_space(["estimators:make"], {"estimators:make": own(function(conf, module), "regression", 1)})
    assert {sample(space, rng=np.random.default_rng(seed))["weight"] for seed in range(9)} == {1, 5}
