"""The reference: what the model learnt from, as bins and a profile, kept with the model as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from lakeloop.modelling.dataset import Columns
from lakeloop.monitoring import bins, profile
from lakeloop.monitoring.bins import Bins


@dataclass(frozen=True)
class Reference:
    """Bins by column, and the BASELINE rows of the profile (JSON texts, columns: profile.SCHEMA)."""

    numeric: Sequence[str]
    categorical: Sequence[str]
    bins: Mapping[str, Bins]
    rows: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        return {
            "numeric": list(self.numeric),
            "categorical": list(self.categorical),
            "bins": {name: item.as_dict() for name, item in self.bins.items()},
            "rows": [json.loads(row) for row in self.rows],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reference:
        cuts = {name: Bins.from_dict(item) for name, item in data["bins"].items()}
        return cls(data["numeric"], data["categorical"], cuts, [json.dumps(row) for row in data["rows"]])

    def frame(self, spark: SparkSession, model_id: str) -> DataFrame:
        """The BASELINE rows as a DataFrame, for the profile table."""
        from pyspark.sql import functions as F

        texts = spark.createDataFrame([(row,) for row in self.rows], "row string")
        parsed = texts.select(F.from_json("row", profile.SCHEMA).alias("row")).select("row.*")
        return parsed.withColumn("model_id", F.lit(model_id))


def reference(
    training: DataFrame,
    sample: pd.DataFrame,
    columns: Columns,
    slices: Sequence[str],
    granularity: str,
    task: str,
    scores: np.ndarray | None = None,
) -> Reference:
    """The reference of training rows, and of ``scores`` (probabilities or predictions) where they are given.

    ``sample`` is as much of the training rows as the model was fitted on: the bins are cut from it.
    The scores are those of the test set: the training rows' own would look better than any to come.
    """
    cuts = bins.cut(sample, columns.numeric, columns.categorical)
    plan = profile.Plan(
        columns.numeric, columns.categorical, cuts, None, granularity, slices, profile.BASELINE, "", task
    )
    rows = profile.profile(training.drop("prediction", "_label"), plan)
    numeric = list(columns.numeric)
    if scores is not None:
        name = "prediction" if task == "regression" else "probability"
        cuts = {**cuts, name: bins.cut_values(scores)}
        numeric.append(name)
        judged = training.sparkSession.createDataFrame(pd.DataFrame({name: scores.astype(np.float64)}))
        score_plan = profile.Plan([name], [], {name: cuts[name]}, None, granularity, (), profile.BASELINE, "", task)
        rows = rows.unionByName(profile.profile(judged, score_plan).filter(f"column_name = '{name}'"))
    texts = sorted(row["text"] for row in rows.selectExpr("to_json(struct(*)) AS text").collect())
    return Reference(numeric, columns.categorical, cuts, texts)
