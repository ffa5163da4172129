"""Metrics of a model on rows whose outcome is known, under the names that MLflow gives them."""

from __future__ import annotations

import numpy as np
from sklearn import metrics

SMALLER_IS_BETTER = ("log_loss", "root_mean_squared_error", "mean_absolute_error")


def better(metric: str, one: float, other: float) -> bool:
    """Whether ``one`` is strictly better than ``other``."""
    return one < other if metric in SMALLER_IS_BETTER else one > other


def loss(metric: str, value: float) -> float:
    """A value as something to minimise."""
    return value if metric in SMALLER_IS_BETTER else -value


def evaluate(task: str, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """The task's metrics by name.

    ``truth``: class codes (0 or 1; 0 … n−1) or numbers. ``predicted``: for binary the probability of class 1, for
    multiclass an array of probabilities a row (columns in the order of the codes), for regression numbers.
    """
    if task == "regression":
        return {
            "root_mean_squared_error": float(metrics.root_mean_squared_error(truth, predicted)),
            "mean_absolute_error": float(metrics.mean_absolute_error(truth, predicted)),
            "r2_score": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else float("nan"),
        }
    if task == "binary":
        decided = predicted >= 0.5
        found = {
            "log_loss": float(metrics.log_loss(truth, predicted, labels=[0, 1])),
            "accuracy_score": float(metrics.accuracy_score(truth, decided)),
            "f1_score": float(metrics.f1_score(truth, decided, zero_division=0)),
        }
        if len(np.unique(truth)) == 2:
            found["roc_auc"] = float(metrics.roc_auc_score(truth, predicted))
            found["precision_recall_auc"] = float(metrics.average_precision_score(truth, predicted))
        return found
    labels = np.arange(predicted.shape[1])
    decided = predicted.argmax(axis=1)
    found = {
        "log_loss": float(metrics.log_loss(truth, predicted, labels=labels)),
        "accuracy_score": float(metrics.accuracy_score(truth, decided)),
        "f1_score": float(metrics.f1_score(truth, decided, average="macro", zero_division=0)),
    }
    if len(np.unique(truth)) == len(labels):
        found["roc_auc"] = float(metrics.roc_auc_score(truth, predicted, multi_class="ovr", labels=labels))
    return found
