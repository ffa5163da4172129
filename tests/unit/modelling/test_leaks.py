"""A column that alone gives the outcome away is found on rows that its tree had not seen; mere good ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakeloop.modelling import leaks
from lakeloop.modelling.dataset import LABEL, PART, TEST, TRAIN, Columns

ROWS = 1000
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=ROWS)


def told(label: Any, numeric: dict[str, Any], categorical: dict[str, Any] | None = None) -> list[str]:
    columns = Columns(list(numeric), list(categorical or {}))
    part = np.where(np.arange(ROWS) % 2, TRAIN, TEST)
    frame = pd.DataFrame({**numeric, **(categorical or {}), LABEL: label, PART: part})
    return [name for name, _ in leaks.alone(frame, columns)]


def test_a_number_that_parts_two_classes_is_found() -> None:
    label = NOISE > 0.5
    copy = np.where(label, 7.0, np.where(NOISE > 0.4, np.nan, 3.0))
    assert told(label, {"copy": copy, "good": NOISE + RANDOM.normal(size=ROWS), "noise": NOISE[::-1]}) == ["copy"]


def test_a_number_inside_a_range_is_found_and_an_id_is_not() -> None:
    label = np.abs(NOISE) < 0.5
    assert told(label, {"range": NOISE, "id": np.arange(ROWS, dtype=float)}) == ["range"]


def test_a_text_is_found_and_texts_that_are_all_different_are_not() -> None:
    label = NOISE > 0
    texts = {
        "copy": np.where(label, "gone", "here").astype(object),
        "gone": np.where(label, None, "here").astype(object),
        "id": np.array([f"{number}" for number in range(ROWS)], dtype=object),
        "town": np.where(RANDOM.random(ROWS) > 0.5, "rome", "oslo").astype(object),
    }
    assert told(label, {}, texts) == ["copy", "gone"]


def test_every_class_counts() -> None:
    label = np.array(["a", "b", "c"])[np.arange(ROWS) // 2 % 3]
    code, two = np.arange(ROWS) // 2 % 3 * 1.0, (np.arange(ROWS) // 2 % 3 == 0) * 1.0
    assert told(label, {"code": code, "two": two}) == ["code"]


def test_a_quantity_is_found() -> None:
    assert told(NOISE * 2 + 1, {"scaled": NOISE, "good": NOISE + RANDOM.normal(size=ROWS) / 3}) == ["scaled"]


@pytest.mark.parametrize("label", [np.zeros(ROWS, dtype=bool), np.arange(ROWS) < 5])
def test_too_few_rows_of_a_class_tell_nothing(label: Any) -> None:
    assert told(label, {"copy": label * 1.0}) == []


def test_what_holds_for_the_rows_that_were_fitted_alone_is_no_leak() -> None:
    blocks = np.arange(ROWS) // 40 % 2 == 0
    label = np.where(np.arange(ROWS) % 2, blocks, ~blocks)
    assert told(label, {"order": np.arange(ROWS, dtype=float)}) == []


def test_two_columns_that_add_up_to_the_label_are_found() -> None:
    one, other = np.arange(ROWS) * 1.0, NOISE
    frame = pd.DataFrame({"one": one, "other": other, "none": 0.0, "sum": one + other, LABEL: one + other})
    frame.loc[3, "one"] = np.nan
    assert leaks.sums(frame, ["one", "other", "none", "sum"]) == [("one", "other")]
    frame.loc[900, LABEL] += 1
    assert leaks.sums(frame, ["one", "other"]) == []
