"""Metrics have the values that one works out by hand, and know which way is better."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from lakeloop.modelling.metrics import better, evaluate, loss


def test_binary_metrics_by_hand() -> None:
    # The pairs (positive, negative) in the right order: 0.8>0.3, 0.8>0.6, 0.4>0.3; in the wrong one: 0.4<0.6.
    found = evaluate("binary", np.array([1, 0, 1, 0]), np.array([0.8, 0.6, 0.4, 0.3]))
    assert found == pytest.approx(
        {
            "log_loss": -(log(0.8) + log(0.4) + log(0.4) + log(0.7)) / 4,
            "accuracy_score": 0.5,
            "f1_score": 0.5,
            "roc_auc": 0.75,
            "precision_recall_auc": 0.5 * 1 + 0.5 * (2 / 3),
        }
    )


def test_a_probability_of_one_half_is_decided_as_positive() -> None:
    assert evaluate("binary", np.array([1, 0]), np.array([0.5, 0.1]))["accuracy_score"] == 1.0


def test_ranking_metrics_are_left_out_where_one_class_is_missing() -> None:
    found = evaluate("binary", np.array([0, 0]), np.array([0.1, 0.2]))
    assert set(found) == {"log_loss", "accuracy_score", "f1_score"}
    assert found["log_loss"] == pytest.approx(-(log(0.9) + log(0.8)) / 2)


def test_multiclass_metrics_by_hand() -> None:
    truth = np.array([0, 1, 2, 2])
    predicted = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.5, 0.2, 0.3]])
    found = evaluate("multiclass", truth, predicted)
    assert found["log_loss"] == pytest.approx(-(log(0.7) + log(0.5) + log(0.8) + log(0.3)) / 4)
    assert found["accuracy_score"] == 0.75
    # F1 of the classes: 2/3 (one of two right, all found), 1, 2/3 (all right, one of two found).
    assert found["f1_score"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    # One against the rest: classes 0 and 1 are ranked first; class 2 (0.8, 0.3 against 0.1, 0.3): 3.5 of 4.
    assert found["roc_auc"] == pytest.approx((1 + 1 + 3.5 / 4) / 3)


def test_multiclass_ranking_is_left_out_where_a_class_is_missing() -> None:
    found = evaluate("multiclass", np.array([0, 1]), np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]]))
    assert set(found) == {"log_loss", "accuracy_score", "f1_score"}


def test_regression_metrics_by_hand() -> None:
    found = evaluate("regression", np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 4.0]))
    assert found == pytest.approx(
        {"root_mean_squared_error": sqrt(5 / 3), "mean_absolute_error": 1.0, "r2_score": 1 - 5 / 14}
    )


def test_r2_of_one_row_is_unknown() -> None:
    assert np.isnan(evaluate("regression", np.array([1.0]), np.array([2.0]))["r2_score"])


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy_score", "r2_score"])
def test_greater_is_better(metric: str) -> None:
    assert better(metric, 0.8, 0.7)
    assert not better(metric, 0.7, 0.8)
    assert loss(metric, 0.8) < loss(metric, 0.7)


@pytest.mark.parametrize("metric", ["log_loss", "root_mean_squared_error", "mean_absolute_error"])
def test_smaller_is_better(metric: str) -> None:
    assert better(metric, 0.7, 0.8)
    assert not better(metric, 0.8, 0.7)
    assert loss(metric, 0.7) < loss(metric, 0.8)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_alike_is_not_better(metric: str) -> None:
    assert not better(metric, 0.7, 0.7)
