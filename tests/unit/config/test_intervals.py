"""Lengths of time as users write them."""

from __future__ import annotations

import pytest

from lakeloop.config.intervals import seconds, short


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0 seconds", 0),
        ("1 second", 1),
        ("90 minutes", 5_400),
        ("6 hours", 21_600),
        (" 28  Days ", 2_419_200),
        ("2 weeks", 1_209_600),
    ],
)
def test_a_length_is_a_number_and_a_unit(text: str, length: int) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "6", "hours", "-1 day", "1.5 days", "1 month", "1 day 2 hours", "1day"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as '6 hours'"):
        seconds(text)


@pytest.mark.parametrize(
    ("length", "name"), [(45, "45s"), (7_200, "2h"), (5_400, "90m"), (604_800, "7d"), (129_600, "36h")]
)
def test_a_length_is_a_short_suffix_of_a_name(length: int, name: str) -> None:
    assert short(length) == name
