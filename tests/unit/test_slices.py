"""Which rows of a table may touch some slices, as a condition that its statistics can judge."""

from datetime import date, datetime

import pytest

from lakeloop.slices import DaysAround, Near

WEEK = DaysAround("known_date", after=7)
KNOWN = Near("to_date(known_at)", "departed_at", before=2)


@pytest.mark.parametrize(
    ("slices", "condition"),
    [
        ([date(2024, 3, 8)], "`known_date` >= DATE '2024-03-01' AND `known_date` < DATE '2024-03-09'"),
        # Days that one row can touch both, and those between them.
        (
            [date(2024, 3, 16), date(2024, 3, 8)],
            "`known_date` >= DATE '2024-03-01' AND `known_date` < DATE '2024-03-17'",
        ),
        (
            [date(2024, 3, 8), date(2024, 3, 17)],
            "`known_date` >= DATE '2024-03-01' AND `known_date` < DATE '2024-03-09'"
            " OR `known_date` >= DATE '2024-03-10' AND `known_date` < DATE '2024-03-18'",
        ),
        # A row without a day touches the slice null alone.
        ([None], "`known_date` IS NULL"),
        (
            [None, date(2024, 3, 8)],
            "`known_date` >= DATE '2024-03-01' AND `known_date` < DATE '2024-03-09' OR `known_date` IS NULL",
        ),
        ([date(1, 1, 3)], "`known_date` >= DATE '0001-01-01' AND `known_date` < DATE '0001-01-04'"),
        ([date.max], "`known_date` >= DATE '9999-12-24'"),
    ],
)
def test_rows_from_so_many_days_before_a_slice_touch_it(slices: list[date | None], condition: str) -> None:
    assert WEEK.touching(slices) == condition


def test_a_row_touches_its_day_and_those_that_follow() -> None:
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert DaysAround("day", after=2).slices_of(days[0]) == days
    assert DaysAround("day", before=1, after=1).slices_of(days[1]) == days
    assert WEEK.slices_of(date(9999, 12, 30)) == [date(9999, 12, 30), date(9999, 12, 31)]
    assert WEEK.slices_of(None) == [None]
    assert DaysAround("day", before=2).slices_of(date(1, 1, 2)) == [date(1, 1, 1), date(1, 1, 2)]


def test_a_row_near_days_before_its_own_is_asked_for_by_later_days() -> None:
    around = DaysAround("at", before=2, after=1)
    assert around.touching([date(2024, 3, 8)]) == "`at` >= DATE '2024-03-07' AND `at` < DATE '2024-03-11'"


@pytest.mark.parametrize(
    ("slices", "condition"),
    [
        ([date(2024, 3, 8)], "departed_at >= DATE '2024-03-06' AND departed_at < DATE '2024-03-09'"),
        (
            [date(2024, 3, 8), date(2024, 3, 11)],
            "departed_at >= DATE '2024-03-06' AND departed_at < DATE '2024-03-12'",
        ),
        (
            [date(2024, 3, 8), date(2024, 3, 12)],
            "departed_at >= DATE '2024-03-06' AND departed_at < DATE '2024-03-09'"
            " OR departed_at >= DATE '2024-03-10' AND departed_at < DATE '2024-03-13'",
        ),
        # A time may be of the day before or after where the session is.
        ([datetime(2024, 3, 8, 12)], "departed_at >= DATE '2024-03-05' AND departed_at < DATE '2024-03-10'"),
        ([date(9999, 12, 31)], "departed_at >= DATE '9999-12-29'"),
        # Nothing can be said of rows without a slice, or of slices that are no days.
        ([None, date(2024, 3, 8)], ""),
        (["north"], ""),
    ],
)
def test_rows_near_a_slice_may_touch_it(slices: list[object], condition: str) -> None:
    assert KNOWN.near(slices) == condition


def test_rows_may_be_of_days_after_their_slice() -> None:
    month = Near("date_trunc('month', at)", "at", after=31)
    assert month.near([date(2024, 3, 1)]) == "at >= DATE '2024-03-01' AND at < DATE '2024-04-02'"
