"""A column that goes null and a category never seen show as drift; nothing to compare is unknown."""

from __future__ import annotations

import json
from math import isfinite

import pytest

from lakeloop.monitoring.bins import Bins
from lakeloop.monitoring.drift import METRICS, compare

NUMBERS = Bins(edges=(0.0, 10.0, 20.0))  # under, [0, 10), [10, 20], over, null
WORDS = Bins(values=("a", "b"))  # a, b, other, null


def test_alike_is_no_drift() -> None:
    found = compare([1, 40, 50, 0, 9], [1, 40, 50, 0, 9], NUMBERS)
    assert found["js_distance"] == found["tv_distance"] == found["population_stability_index"] == 0
    assert found["ks_test"] == {"statistic": 0, "pvalue": 1}
    assert found["wasserstein_distance"] == 0
    assert found["chi_squared_test"] is None


def test_a_column_that_goes_null_shows() -> None:
    found = compare([0, 0, 0, 0, 100], [0, 50, 50, 0, 0], NUMBERS)
    assert found["js_distance"] == pytest.approx(1)
    assert found["tv_distance"] == 1
    assert found["population_stability_index"] > 0.2
    assert found["ks_test"] is None
    assert found["wasserstein_distance"] is None


def test_a_column_that_goes_half_null_shows_even_if_its_numbers_stay() -> None:
    found = compare([0, 25, 25, 0, 50], [0, 50, 50, 0, 0], NUMBERS)
    assert found["tv_distance"] == 0.5
    assert found["population_stability_index"] > 0.2
    assert found["ks_test"]["statistic"] == 0


def test_a_category_that_was_never_seen_shows() -> None:
    found = compare([0, 0, 100, 0], [60, 40, 0, 0], WORDS)
    assert found["js_distance"] == pytest.approx(1)
    assert found["tv_distance"] == 1
    assert found["chi_squared_test"]["pvalue"] < 1e-9
    assert found["ks_test"] is found["wasserstein_distance"] is None


def test_values_outside_the_references_range_show() -> None:
    assert compare([0, 0, 0, 100, 0], [0, 50, 50, 0, 0], NUMBERS)["js_distance"] == pytest.approx(1)
    assert compare([100, 0, 0, 0, 0], [0, 50, 50, 0, 0], NUMBERS)["tv_distance"] == 1


def test_a_distance_is_between_the_middles_of_the_bins() -> None:
    assert compare([0, 0, 10, 0, 0], [0, 10, 0, 0, 0], NUMBERS)["wasserstein_distance"] == pytest.approx(10)
    assert compare([0, 0, 0, 10, 0], [0, 10, 0, 0, 0], NUMBERS)["wasserstein_distance"] == pytest.approx(15)


def test_a_constant_that_changes_shows() -> None:
    constant = Bins(edges=(3.0, 3.0))
    assert compare([0, 0, 9, 0], [0, 9, 0, 0], constant)["tv_distance"] == 1
    assert compare([9, 0, 0, 0], [0, 9, 0, 0], constant)["tv_distance"] == 1


def test_a_column_that_was_all_null_and_is_filled_shows() -> None:
    found = compare([8, 0], [0, 8], Bins(edges=()))
    assert found["tv_distance"] == 1
    assert found["ks_test"] is None


@pytest.mark.parametrize(
    ("now", "ref", "bins"),
    [
        (None, [1, 1, 1, 1, 1], NUMBERS),
        ([1, 1, 1, 1, 1], None, NUMBERS),
        ([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], None),
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], NUMBERS),
        ([1, 1, 1, 1, 1], [0, 0, 0, 0, 0], NUMBERS),
        ([1, 1, 1], [1, 1, 1, 1, 1], NUMBERS),
    ],
    ids=["no window", "no reference", "no bins", "empty window", "empty reference", "other bins"],
)
def test_nothing_to_compare_is_unknown(now: list[int] | None, ref: list[int] | None, bins: Bins | None) -> None:
    assert compare(now, ref, bins) == dict.fromkeys(METRICS.fieldNames())


def test_every_metric_is_there_and_finite_or_unknown() -> None:
    for found in (
        compare([3, 4, 5, 6, 7], [1, 0, 2, 0, 9], NUMBERS),
        compare([1, 2, 3, 4], [4, 0, 0, 1], WORDS),
    ):
        assert list(found) == METRICS.fieldNames()
        numbers = [value for value in found.values() if value is not None and not isinstance(value, dict)]
        assert all(isfinite(value) for value in numbers)
        json.dumps(found, allow_nan=False)
