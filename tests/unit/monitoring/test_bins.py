"""Bins come from the reference alone, live in a file, and have a place for what the reference never had."""

from __future__ import annotations

import json
from math import inf, nan

import numpy as np
import pandas as pd
import pytest

from lakeloop.monitoring.bins import Bins, cut, cut_values


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


def test_bins_are_cut_from_the_rows_of_the_reference() -> None:
    rows = pd.DataFrame(
        {
            "x": [*(float(number) for number in range(11)), nan, None],
            "kind": [*("odd" if number % 2 else "even" for number in range(11)), "even", None],
            "same": [5.0] * 12 + [None],
        }
    )
    cuts = cut(rows, ["x", "same"], ["kind"])
    assert cuts["x"].edges == tuple(float(number) for number in range(11))
    assert cuts["same"].edges == (5.0, 5.0)
    assert cuts["kind"].values == ("even", "odd")


def test_what_is_under_and_over_a_constant_shows_and_so_does_what_is_missing() -> None:
    assert list(Bins(edges=(5.0, 5.0)).of_numbers(np.array([4.9, 5.0, 5.1]), missing=2)) == [1, 1, 1, 2]


def test_a_text_that_the_reference_did_not_have_is_another() -> None:
    texts = np.array(["b", "new", "a"], dtype=object)
    assert list(Bins(values=("a", "b")).of_texts(texts, np.array([3, 4, 1]), missing=2)) == [1, 3, 4, 2]
