"""Sizes as users write them, and back."""

from __future__ import annotations

import pytest

from lakeloop.config import sizes


@pytest.mark.parametrize(("text", "expected"), [("128 MB", 134_217_728), ("1GB", 1_073_741_824), (" 3 kb ", 3072)])
def test_a_size_is_so_many_bytes(text: str, expected: int) -> None:
    assert sizes.in_bytes(text) == expected


@pytest.mark.parametrize("text", ["128", "0 MB", "1.5 GB", "3 TB", ""])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as '128 MB'"):
        sizes.in_bytes(text)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 KB"), (1, "1 KB"), (1536, "2 KB"), (52_428_800, "50.0 MB"), (1_610_612_736, "1.5 GB")],
)
def test_bytes_are_shown_in_the_unit_that_fits(count: int, expected: str) -> None:
    assert sizes.shown(count) == expected
