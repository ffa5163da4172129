"""A window's value comes from its own tiles alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lakeloop.features.asof import Feature, computed

SUMS = ("sum", "avg", "count", "stddev")


def over(function: str, tiles: list[int], values: list[float], moments: list[int], length: int) -> list[float]:
    """A feature of one value a tile: ``function`` over the last ``length`` seconds."""
    held = np.array(values)
    partials = {
        "x__sum": held,
        "x__squares": held**2,
        "x__count": (~np.isnan(held)).astype(float),
        "x__min": held,
        "x__max": held,
    }
    [found] = computed(np.array(moments), np.array(tiles), partials, [Feature("x", function, "x", length)])
    return [float(value) for value in found]


@pytest.mark.parametrize(
    ("function", "expected"),
    [("sum", 9.0), ("avg", 3.0), ("count", 3.0), ("stddev", 1.0), ("min", 2.0), ("max", 4.0)],
)
def test_a_window_begins_after_its_length_and_ends_with_its_moment(function: str, expected: float) -> None:
    tiles, values = [10, 20, 30, 40, 50], [100.0, 2.0, 3.0, 4.0, 100.0]
    assert over(function, tiles, values, [40], 30) == [expected]


@pytest.mark.parametrize("function", SUMS)
def test_a_huge_value_before_a_window_rounds_nothing_in_it(function: str) -> None:
    tiles, values = [1, 2, 3, 4, 5, 6], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    alone = over(function, tiles, values, [4, 6], 3)
    assert over(function, [-9, *tiles], [1e300, *values], [4, 6], 3) == alone


def test_where_a_window_stands_among_the_tiles_changes_no_bit() -> None:
    values = [0.1 * i for i in range(37)]
    alone = over("sum", list(range(37)), values, [36], 37)
    for before in range(1, 9):
        earlier = list(range(-before, 0))
        assert over("sum", [*earlier, *range(37)], [*[0.7] * before, *values], [36], 37) == alone


def test_a_window_without_a_value_has_none() -> None:
    assert over("count", [1, 2], [math.nan, 5.0], [1, 0], 5) == [0.0, 0.0]
    for function in ("sum", "avg", "min", "max"):
        assert all(map(math.isnan, over(function, [1, 2], [math.nan, 5.0], [1, 0], 5)))
    assert all(map(math.isnan, over("stddev", [1, 2], [math.nan, 5.0], [2], 5)))


def test_moments_and_tiles_come_in_any_order() -> None:
    assert over("sum", [30, 10, 20], [3.0, 1.0, 2.0], [30, 10, 20], 15) == [5.0, 1.0, 3.0]
