"""Columns that know the outcome: what the model would learn from and no later row will have in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lakeloop.config import Pipeline
from lakeloop.config.references import spine_key
from lakeloop.modelling import dataset
from lakeloop.modelling.dataset import DRAW, LABEL, PART, TEST, TRAIN, Columns

MOST_ROWS, MOST_ROWS_FOR_NULLS = 20_000, 200_000
TOO_GOOD = 0.98
# With fewer rows (of a class, or without a label) than this, chance alone makes such patterns.
FEWEST = 10
LEAVES, ROWS_A_LEAF = 64, 5
_SOME = 200


@dataclass(frozen=True)
class Leak:
    """Columns that together give the outcome away, and how that shows."""

    columns: tuple[str, ...]
    found: str


def find(rows: DataFrame, pipeline: Pipeline) -> list[Leak]:
    """The leaks among the columns of the spine that the model may see; looks at a bounded number of rows."""
    columns = dataset.model_columns(rows, pipeline)
    # The spine may be a costly query: it is computed once.
    labelled = dataset.labelled(rows, pipeline).limit(MOST_ROWS_FOR_NULLS).cache()
    try:
        found = [Leak((name,), "is null just where the label is null") for name in null_together(labelled, columns)]
        frame = _sample(labelled, columns, pipeline)
    finally:
        labelled.unpersist()
    found += [Leak((name,), f"alone predicts the label: {how}") for name, how in alone(frame, columns)]
    if _is_quantity(frame):
        found += [Leak(pair, "add up to the label") for pair in sums(frame, columns.numeric)]
    return found


def _sample(labelled: DataFrame, columns: Columns, pipeline: Pipeline) -> pd.DataFrame:
    """Some labelled rows as `dataset.to_pandas` gives them, one half of them `train`, the other `test`."""
    known = labelled.filter(F.col(LABEL).isNotNull()).limit(MOST_ROWS)
    key = [name for name in spine_key(pipeline) if name in known.columns] or columns.all
    frame = dataset.to_pandas(known.withColumn(PART, F.lit(TRAIN)), columns, key, pipeline.model.seed)
    frame[PART] = np.where(frame[DRAW] < 0.5, TRAIN, TEST)
    return frame


def null_together(labelled: DataFrame, columns: Columns) -> list[str]:
    """The columns that are null in just those rows in which the label is; one action."""
    nulls = F.col(LABEL).isNull()
    differ = [
        F.count_if(F.col(f"`{name}`").isNull() != nulls).alias(f"differ_{at}") for at, name in enumerate(columns.all)
    ]
    row = labelled.agg(F.count_if(nulls).alias("null"), F.count(F.lit(1)).alias("rows"), *differ).collect()[0]
    if row["null"] < FEWEST or row["null"] == row["rows"]:
        return []
    return [name for at, name in enumerate(columns.all) if row[f"differ_{at}"] == 0]


def _is_quantity(frame: pd.DataFrame) -> bool:
    return frame[LABEL].dtype.kind == "f"


def alone(frame: pd.DataFrame, columns: Columns) -> Iterator[tuple[str, str]]:
    """The columns from which a small tree, fitted on one half of the rows, predicts the other nearly perfectly; each
    with the metric."""
    fitted, judged = frame[frame[PART] == TRAIN], frame[frame[PART] == TEST]
    if min(len(fitted), len(judged)) < 2 * FEWEST:
        return
    judge, metric = (_r2, "R²") if _is_quantity(frame) else (_auc, "ROC AUC")
    for name in columns.all:
        numeric = name in columns.numeric
        value = judge(*_inputs(fitted, judged, name, numeric), fitted[LABEL].to_numpy(), judged[LABEL].to_numpy())
        if value is not None and value >= TOO_GOOD:
            yield name, f"{metric} {value:.3f} on rows that a small tree had not seen"


def _inputs(fitted: pd.DataFrame, judged: pd.DataFrame, name: str, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """A column of both halves as tree inputs: a number as it is; a text as one column a common value."""
    if numeric:
        return fitted[[name]].to_numpy(dtype=np.float64), judged[[name]].to_numpy(dtype=np.float64)
    common = fitted[name].value_counts().head(LEAVES - 1).index.to_numpy(dtype=object)

    def columns(rows: pd.DataFrame) -> np.ndarray:
        values = rows[name].to_numpy(dtype=object)[:, None]
        return np.asarray(np.hstack([values == common[None, :], rows[[name]].isna().to_numpy()]), dtype=np.float64)

    return columns(fitted), columns(judged)


def _auc(inputs: np.ndarray, others: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> float | None:
    """ROC AUC, of each class against the rest, weighted by how frequent it is; None where classes are too rare."""
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    frequent = {name for name, count in zip(classes, counts, strict=True) if count >= FEWEST}
    frequent &= {name for name in frequent if (truth.astype(str) == name).sum() >= FEWEST}
    if len(frequent) < 2:
        return None
    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=ROWS_A_LEAF, random_state=0)
    tree.fit(inputs, labels.astype(str))
    scores = tree.predict_proba(others)
    values, weights = [], []
    for at, name in enumerate(tree.classes_):
        if name in frequent:
            is_it = truth.astype(str) == name
            values.append(roc_auc_score(is_it, scores[:, at]))
            weights.append(is_it.sum())
    return float(np.average(values, weights=weights))


def _r2(inputs: np.ndarray, others: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> float | None:
    labels, truth = labels.astype(np.float64), truth.astype(np.float64)
    if np.ptp(labels) == 0 or np.ptp(truth) == 0:
        return None
    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=ROWS_A_LEAF, random_state=0)
    return float(r2_score(truth, tree.fit(inputs, labels).predict(others)))


def sums(frame: pd.DataFrame, numeric: list[str]) -> list[tuple[str, ...]]:
    """The pairs of columns that add up to the label wherever both are there."""
    label: Any = frame[LABEL].to_numpy(dtype=np.float64)
    values = {name: frame[name].to_numpy(dtype=np.float64) for name in numeric if frame[name].nunique() > 1}
    names = list(values)
    few = {name: column[:_SOME] for name, column in values.items()}
    found: list[tuple[str, ...]] = []
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            # Nearly all pairs fall away on some rows already.
            if _same(few[one] + few[other], label[:_SOME], 1) and _same(values[one] + values[other], label, 2 * FEWEST):
                found.append((one, other))
    return found


def _same(total: np.ndarray, label: np.ndarray, fewest: int) -> bool:
    there = ~np.isnan(total)
    return bool(there.sum() >= fewest and np.allclose(total[there], label[there], rtol=1e-6, atol=1e-9))
