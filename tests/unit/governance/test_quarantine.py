"""Which raw columns a rule is about, whatever silver makes of them."""

from __future__ import annotations

import pytest

from lakeloop.config.sources import Source
from lakeloop.governance.quarantine import columns_of

SOURCE = Source(
    path="x/*.csv",
    key=["id"],
    columns={
        "id": "int",
        "year": "int",
        "month": "int",
        "day": "make_date(year, month, 1)",
        "name": "upper(name)",
        "week": "weekofyear(day)",
    },
    expect={"is_late": "week > 10 and Name <> 'x'", "constant": "1 = 1"},
)
RAW = ["id", "year", "month", "name", "other"]


@pytest.mark.parametrize(
    ("rule", "columns"),
    [
        ("id_is_int", ["id"]),
        ("day_is_present", ["month", "year"]),
        ("is_late", ["name", "month", "year"]),
        ("constant", []),
        ("record_parses", ["_corrupt_record"]),
        ("a_rule_of_another_time", []),
    ],
)
def test_expressions_are_followed_back_to_the_files(rule: str, columns: list[str]) -> None:
    assert columns_of(rule, SOURCE, RAW) == columns
