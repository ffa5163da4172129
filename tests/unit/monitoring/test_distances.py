"""Distances of binned distributions: the values of the textbook, 0 for the same, 1 for the disjoint."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log2, sqrt

import numpy as np
import pytest

from lakeloop.monitoring import distances

NOW, REFERENCE = np.array([10.0, 30.0, 60.0]), np.array([20.0, 40.0, 40.0])
APART = np.array([0.0, 0.0, 7.0]), np.array([3.0, 0.0, 0.0])
Distance = Callable[[np.ndarray, np.ndarray], float]


def test_population_stability_index_by_hand() -> None:
    expected = -0.1 * log(0.1 / 0.2) - 0.1 * log(0.3 / 0.4) + 0.2 * log(0.6 / 0.4)
    assert distances.population_stability_index(NOW, REFERENCE) == pytest.approx(expected)


def test_an_empty_bin_gives_a_great_but_finite_index() -> None:
    expected = 2 * (1 - 1e-4) * log(1 / 1e-4)
    assert distances.population_stability_index(*APART) == pytest.approx(expected)


def test_jensen_shannon_by_hand() -> None:
    middle = (0.15, 0.35, 0.5)
    divergence = sum(
        sum(p * log2(p / m) for p, m in zip(side, middle, strict=True)) / 2
        for side in ((0.1, 0.3, 0.6), (0.2, 0.4, 0.4))
    )
    assert distances.js_distance(NOW, REFERENCE) == pytest.approx(sqrt(divergence))


def test_total_variation_and_greatest_difference_by_hand() -> None:
    assert distances.tv_distance(NOW, REFERENCE) == pytest.approx(0.2)
    assert distances.l_infinity_distance(NOW, REFERENCE) == pytest.approx(0.2)
    assert distances.tv_distance(np.array([5.0, 5.0, 0, 0]), np.array([0, 0, 5.0, 5.0])) == 1
    assert distances.l_infinity_distance(np.array([5.0, 5.0, 0, 0]), np.array([0, 0, 5.0, 5.0])) == 0.5


def test_kolmogorov_smirnov_by_hand() -> None:
    found = distances.ks_test(NOW, REFERENCE)
    assert found.statistic == pytest.approx(0.2)
    # The limit law: 2 Σ (-1)^(k-1) exp(-2 k² x²), x² = 0.2² · 100 · 100 / 200 = 2.
    assert found.pvalue == pytest.approx(2 * (exp(-4) - exp(-16) + exp(-36)))


def test_chi_squared_by_hand() -> None:
    # Expected on both sides: 15, 35 and 50; two degrees of freedom.
    statistic = 2 * (5**2 / 15 + 5**2 / 35 + 10**2 / 50)
    found = distances.chi_squared_test(NOW, REFERENCE)
    assert found.statistic == pytest.approx(statistic)
    assert found.pvalue == pytest.approx(exp(-statistic / 2))


def test_chi_squared_leaves_out_bins_that_are_empty_on_both_sides() -> None:
    wider = distances.chi_squared_test(np.insert(NOW, 1, 0), np.insert(REFERENCE, 1, 0))
    assert wider == distances.chi_squared_test(NOW, REFERENCE)


def test_chi_squared_of_one_bin_sees_nothing() -> None:
    assert distances.chi_squared_test(np.array([3.0, 0]), np.array([9.0, 0])) == distances.Test(0.0, 1.0)


def test_wasserstein_is_in_the_columns_unit() -> None:
    points = np.array([0.0, 10.0, 30.0])
    # 0.1 of the rows has to go from 0 to 10, 0.2 from 10 to 30.
    assert distances.wasserstein_distance(NOW, REFERENCE, points) == pytest.approx(0.1 * 10 + 0.2 * 20)


@pytest.mark.parametrize(
    "distance",
    [
        distances.population_stability_index,
        distances.js_distance,
        distances.tv_distance,
        distances.l_infinity_distance,
    ],
)
def test_the_same_shares_are_at_distance_nothing(distance: Distance) -> None:
    assert distance(NOW, NOW * 7) == pytest.approx(0, abs=1e-7)


def test_the_same_shares_are_no_evidence() -> None:
    assert distances.ks_test(NOW, NOW * 7) == distances.Test(pytest.approx(0), pytest.approx(1))
    assert distances.chi_squared_test(NOW, NOW * 7) == distances.Test(pytest.approx(0), pytest.approx(1))
    assert distances.wasserstein_distance(NOW, NOW * 7, np.arange(3.0)) == pytest.approx(0)


@pytest.mark.parametrize("distance", [distances.js_distance, distances.tv_distance, distances.l_infinity_distance])
def test_the_disjoint_are_at_distance_one(distance: Distance) -> None:
    assert distance(*APART) == pytest.approx(1)


def test_the_disjoint_have_the_greatest_statistic() -> None:
    assert distances.ks_test(*APART).statistic == 1
