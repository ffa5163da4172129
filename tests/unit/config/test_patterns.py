"""A pattern for lines of text: each named group is a column, and the whole line must match."""

from __future__ import annotations

import re

import pytest

from lakeloop.config.patterns import numbered


@pytest.mark.parametrize(
    ("pattern", "plain", "names"),
    [
        (r"(?<a>\d+) (?<b_c>.*)", r"^(?:(\d+) (.*))$", {"a": 1, "b_c": 2}),
        (r"(x)(?:y)(?=z)(?<!w)(?P<last>[)(?<no>]+)", r"^(?:(x)(?:y)(?=z)(?<!w)([)(?<no>]+))$", {"last": 2}),
        (r"\((?<in>[^\])]*)\)\Q(?<not>\E", r"^(?:\(([^\])]*)\)\Q(?<not>\E)$", {"in": 1}),
        (r"(?<q>['\"])(?<v>.*)\k<q>", r"^(?:(['\"])(.*)\1)$", {"q": 1, "v": 2}),
    ],
)
def test_named_groups_are_numbered(pattern: str, plain: str, names: dict[str, int]) -> None:
    assert numbered(pattern) == (plain, names)


def test_the_numbers_are_those_of_the_groups() -> None:
    plain, names = numbered(r"(a|b)-(?<second>\d)-((?<fourth>x))")
    match = re.match(plain, "a-1-x")
    assert match is not None
    assert {name: match.group(number) for name, number in names.items()} == {"second": "1", "fourth": "x"}


@pytest.mark.parametrize(("pattern", "expected"), [(r"(\d+)", "named groups"), ("(?<a>x)(?<A>y)", "A comes twice")])
def test_a_pattern_without_names_or_with_one_twice_is_refused(pattern: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        numbered(pattern)
