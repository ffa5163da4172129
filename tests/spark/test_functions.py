"""Python functions make columns and tables, also on workers, which have no folder of the use case."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from conftest import MakeUseCase, UseCase, tuples
from pyspark.sql import DataFrame

from lakeloop import bronze, gold, silver
from lakeloop.errors import ConfigurationError
from lakeloop.modelling.dataset import Columns, Parts
from lakeloop.modelling.estimators import own
from lakeloop.modelling.tuning import Task, fit
from lakeloop.tables import Table

SHOP = """
sources:
  orders:
    path: orders/*
    key: id
    columns: {id: int, score: {python: "own.cleaning:score"}, twice: score * 2}
gold:
  totals: {python: "own.tables:totals", inputs: silver.orders, key: twice}
model:
  task: regression
  spine: gold.totals
  label: n
  split: {by: random}
  algorithms: ["own.estimators:constant"]
"""
CLEANING = """
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from .rules import LIMIT, limited


def score(rows: DataFrame) -> Column:
    return F.udf(limited, "double")("id") + len([name for name in rows.columns if name == "id"]) - 1
"""
RULES = "LIMIT = 3.0\n\n\ndef limited(value):\n    return min(float(value), LIMIT)\n"
TABLES = """
def totals(tables):
    return tables["silver.orders"].groupBy("twice").count().withColumnRenamed("count", "n")
"""
ESTIMATORS = """
import numpy as np

from .rules import LIMIT


class Constant:
    def set_params(self):
        pass

    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return np.full(len(rows), LIMIT)


def constant(task, seed):
    return Constant(), {}
"""


def shop(use_case: MakeUseCase, **changed: str) -> UseCase:
    """The shop with its functions, some of them changed."""
    modules = {"cleaning": CLEANING, "rules": RULES, "tables": TABLES, "estimators": ESTIMATORS, **changed}
    return use_case(SHOP, **{f"own/{name}.py": text for name, text in modules.items()})


def orders(case: UseCase) -> DataFrame:
    """Silver's columns of some orders."""
    rows = case.spark.createDataFrame([("1",), ("5",), ("7",)], "id string")
    raw = rows.selectExpr(
        "*",
        *[f"cast(null as {'timestamp' if name.endswith('_at') else 'string'}) AS {name}" for name in bronze.METADATA],
    )
    return silver.latest(raw, case.settings.pipeline.sources["orders"]).select("id", "score", "twice")


def test_a_column_is_computed_on_workers_that_have_no_such_folder(use_case: MakeUseCase) -> None:
    assert tuples(orders(shop(use_case))) == [(1, 1.0, 2.0), (5, 3.0, 6.0), (7, 3.0, 6.0)]


def test_a_gold_table_is_what_its_function_returns(use_case: MakeUseCase) -> None:
    case = shop(use_case)
    derivation = gold.derivation(case.settings, "totals")
    assert derivation.inputs == (Table("silver", "orders"),)
    assert tuples(derivation.compute({Table("silver", "orders"): orders(case)})) == [(2.0, 1), (6.0, 2)]


def test_an_estimator_is_fitted_on_workers(use_case: MakeUseCase) -> None:
    case = shop(use_case)
    [function] = [item for item in case.settings.functions.values() if item.name == "own.estimators:constant"]
    owned = {function.name: own(function, "regression", 1)}
    task = Task("regression", "r2_score", Columns(["x"], []), None, 1, owned)
    rows = Parts(pd.DataFrame({"x": [1.0, 2.0]}), np.array([1.0, 2.0]))

    def on_worker(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for _ in batches:
            found = fit(task, {"algorithm": "own.estimators:constant"}, rows).scores(rows.inputs)
            yield pd.DataFrame({"score": found})

    assert tuples(case.spark.range(1).mapInPandas(on_worker, "score double")) == [(3.0,), (3.0,)]


def test_what_is_no_column_and_no_table_is_told(use_case: MakeUseCase) -> None:
    case = shop(use_case, cleaning="def score(rows):\n    return 1\n", tables="def totals(tables):\n    pass\n")
    with pytest.raises(ConfigurationError, match=r"own\.cleaning:score, which returns a int"):
        orders(case)
    with pytest.raises(ConfigurationError, match=r"own\.tables:totals, which returns a NoneType"):
        gold.computed(case.settings, "totals", {})
