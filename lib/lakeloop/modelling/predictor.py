"""The model: raw columns in, predictions out, the same in batch, in a stream and behind REST.

Imports neither Spark nor the rest of Lakeloop, so that a serving container needs nothing but what it scores with; nor
MLflow, which takes each process that fits a trial seconds to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


class Predictor:
    """A fitted pipeline with its columns and classes.

    ``predict`` gives a data frame with `prediction` (a class as the label spells it, or a number) and, for classes,
    `probability` (binary: of the positive class, the second; multiclass: of the predicted one).
    """

    def __init__(
        self, task: str, pipeline: Any, numeric: list[str], categorical: list[str], classes: list[Any] | None
    ) -> None:
        self.task = task
        self.pipeline = pipeline
        self.numeric = numeric
        self.categorical = categorical
        self.classes = classes

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """Numbers to judge by: binary the probability of the positive class, multiclass all of them, else values."""
        inputs = prepared(rows, self.numeric, self.categorical)
        if self.task == "regression":
            return np.asarray(self.pipeline.predict(inputs), dtype=np.float64)
        probabilities = np.asarray(self.pipeline.predict_proba(inputs), dtype=np.float64)
        return probabilities[:, 1] if self.task == "binary" else probabilities

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        scores = self.scores(rows)
        if self.task == "regression":
            return pd.DataFrame({"prediction": scores})
        assert self.classes is not None
        classes = np.asarray(self.classes)
        if self.task == "binary":
            return pd.DataFrame({"prediction": classes[(scores >= 0.5).astype(int)], "probability": scores})
        best = scores.argmax(axis=1)
        return pd.DataFrame({"prediction": classes[best], "probability": scores[np.arange(len(best)), best]})


class Steps:
    """The preparation of columns and an estimator of the user's, one after the other. scikit-learn's own Pipeline asks
    more of an estimator than it needs: a mark that it is fitted, tags, a base class."""

    def __init__(self, columns: Any, model: Any) -> None:
        self.steps = [("columns", columns), ("model", model)]

    def fit(self, rows: pd.DataFrame, truth: np.ndarray) -> Steps:
        (_, columns), (_, model) = self.steps
        model.fit(columns.fit_transform(rows), truth)
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        return self.steps[1][1].predict(self.steps[0][1].transform(rows))

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return self.steps[1][1].predict_proba(self.steps[0][1].transform(rows))


def prepared(rows: pd.DataFrame, numeric: list[str], categorical: list[str]) -> pd.DataFrame:
    """The model's columns, numbers as float64 (missing: NaN) and texts as objects (missing: None)."""
    columns: dict[str, Any] = {name: pd.to_numeric(rows[name], errors="coerce").astype("float64") for name in numeric}
    for name in categorical:
        values = rows[name].to_numpy(dtype=object, copy=True)
        values[rows[name].isna().to_numpy()] = None
        columns[name] = values
    return pd.DataFrame(columns, index=rows.index)
