"""Distances between two distributions that are given as counts in the same bins.

Formulas: PSI as in Siddiqi, Credit Risk Scorecards (2006); Jensen-Shannon, total variation, Wasserstein, two-sample
Kolmogorov-Smirnov and the chi-squared test of homogeneity as in SciPy's documentation, on the bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.spatial import distance

# A share that no row has, so that a logarithm exists: half a row, at least one in ten thousand rows.
_SMALLEST = 1e-4


@dataclass(frozen=True)
class Test:
    statistic: float
    pvalue: float


def shares(counts: np.ndarray) -> np.ndarray:
    """Counts as shares of their sum."""
    return counts / counts.sum()


def population_stability_index(now: np.ndarray, reference: np.ndarray) -> float:
    """Sum over bins of (p − q) ln(p / q), in nats; 0 where alike, from 0.2 a marked shift by convention."""
    p, q = (np.maximum(shares(counts), _SMALLEST) for counts in (now, reference))
    return float(np.sum((p - q) * np.log(p / q)))


def js_distance(now: np.ndarray, reference: np.ndarray) -> float:
    """Square root of the Jensen-Shannon divergence, base 2: 0 alike, 1 disjoint."""
    return float(distance.jensenshannon(shares(now), shares(reference), base=2))


def tv_distance(now: np.ndarray, reference: np.ndarray) -> float:
    """Half the sum of absolute differences of shares: 0 alike, 1 disjoint."""
    return float(np.abs(shares(now) - shares(reference)).sum() / 2)


def l_infinity_distance(now: np.ndarray, reference: np.ndarray) -> float:
    """The greatest difference of shares in one bin."""
    return float(np.abs(shares(now) - shares(reference)).max())


def ks_test(now: np.ndarray, reference: np.ndarray) -> Test:
    """Two-sample Kolmogorov-Smirnov on ordered bins: never more than that of the values themselves."""
    statistic = float(np.abs(np.cumsum(shares(now)) - np.cumsum(shares(reference))).max())
    n, m = now.sum(), reference.sum()
    return Test(statistic, float(stats.kstwobign.sf(statistic * np.sqrt(n * m / (n + m)))))


def chi_squared_test(now: np.ndarray, reference: np.ndarray) -> Test:
    """Homogeneity of the two rows of counts; bins that are empty in both are left out."""
    table = np.array([now, reference])[:, (now + reference) > 0]
    if table.shape[1] < 2:
        return Test(0.0, 1.0)
    found = stats.chi2_contingency(table, correction=False)
    return Test(float(found.statistic), float(found.pvalue))


def wasserstein_distance(now: np.ndarray, reference: np.ndarray, points: np.ndarray) -> float:
    """Earth mover's distance, in the column's unit, with each bin's rows at its point."""
    return float(stats.wasserstein_distance(points, points, now, reference))
