"""Bins come from the reference alone, live in a file, and have a place for what the reference never had."""

from __future__ import annotations

import json
from math import inf, nan

import numpy as np
import pytest

from lakeloop.monitoring.bins import Bins, cut_values


@pytest.mark.parametrize(
    "bins",
    [Bins(edges=(0.0, 0.5, 1.0)), Bins(edges=()), Bins(values=("a", "b")), Bins(values=())],
    ids=["numbers", "no number", "values", "no value"],
)
def test_bins_come_back_from_json(bins: Bins) -> None:
    assert Bins.from_dict(json.loads(json.dumps(bins.as_dict()))) == bins


def test_there_is_a_bin_for_under_over_other_and_null() -> None:
    assert Bins(edges=(0.0, 1.0, 2.0)).size == 5  # under, two between, over, null
    assert Bins(values=("a", "b", "c")).size == 5  # three values, other, null


def test_numbers_are_cut_at_their_deciles() -> None:
    assert cut_values(np.arange(101.0)).edges == tuple(float(i) for i in range(0, 101, 10))


def test_deciles_that_coincide_are_one_edge() -> None:
    values = np.array([0.0] * 95 + [1.0] * 5)
    assert cut_values(values).edges == (0.0, 1.0)


def test_a_constant_has_a_bin_of_its_own_between_under_and_over() -> None:
    bins = cut_values(np.array([3.0, 3.0, 3.0]))
    assert bins.edges == (3.0, 3.0)
    assert bins.size == 4  # under, the constant, over, null


def test_what_is_not_finite_makes_no_edge() -> None:
    assert cut_values(np.array([1.0, nan, 2.0, inf, -inf])).edges == cut_values(np.array([1.0, 2.0])).edges


def test_no_number_at_all_leaves_no_edge() -> None:
    bins = cut_values(np.array([nan, nan]))
    assert bins.edges == ()
    assert bins.size == 2  # any number, null
