"""The model as MLflow keeps it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModel

from lakeloop.modelling.predictor import Predictor


class Logged(PythonModel):
    """A predictor in MLflow's python_function flavour; ``predict`` gives what the predictor's gives."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        return self.predictor.predict(model_input)
