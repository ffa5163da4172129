"""Which rows of a table by day may touch some slices, as a condition that its statistics can judge."""

from datetime import date

import pytest

from lakeloop.derivation import DaysAfter

WEEK = DaysAfter("known_date", 7)


@pytest.mark.parametrize(
    ("slices", "condition"),
    [
        ([date(2024, 3, 8)], "`known_date` BETWEEN DATE '2024-03-01' AND DATE '2024-03-08'"),
        # Days that one row can touch both, and those between them.
        (
            [date(2024, 3, 16), date(2024, 3, 8)],
            "`known_date` BETWEEN DATE '2024-03-01' AND DATE '2024-03-16'",
        ),
        (
            [date(2024, 3, 8), date(2024, 3, 17)],
            "`known_date` BETWEEN DATE '2024-03-01' AND DATE '2024-03-08'"
            " OR `known_date` BETWEEN DATE '2024-03-10' AND DATE '2024-03-17'",
        ),
        # A row without a day touches no slice.
        ([None], ""),
    ],
)
def test_rows_from_so_many_days_before_a_slice_touch_it(slices: list[date | None], condition: str) -> None:
    assert WEEK.touching(slices) == condition


def test_a_row_touches_its_day_and_those_that_follow() -> None:
    assert WEEK.slices() == "sequence(`known_date`, date_add(`known_date`, 7))"
