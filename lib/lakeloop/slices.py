"""Slices: which of them a row touches, and which rows touch given ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lakeloop.literals import literal

# What a changed row of an input may touch, beside the slices that an expression names.
ALL, NOTHING = "all", "nothing"


@dataclass(frozen=True)
class DaysAfter:
    """A row touches the slices of the days from that of its ``column``, a date, to so many ``days`` later; without a
    date it touches none."""

    column: str
    days: int

    def slices(self) -> str:
        """SQL for the array of the days that a row touches; a day after 9999-12-31 is none of Python's."""
        return f"sequence(`{self.column}`, least(date_add(`{self.column}`, {self.days}), {literal(date.max)}))"

    def days_of(self, day: date) -> list[date]:
        """The days that a row of this day touches."""
        return [day + timedelta(days=later) for later in range(min(self.days, (date.max - day).days) + 1)]

    def touching(self, slices: Sequence[object]) -> str:
        """An SQL condition that a table's statistics can judge: a row touches one of these days, or one between two
        that a row can touch both. None of null."""
        days = [day for day in slices if isinstance(day, date)]
        return " OR ".join(
            f"`{self.column}` BETWEEN {literal(first)} AND {literal(last)}"
            for first, last in _spans(days, self.days, 0)
        )


@dataclass(frozen=True)
class Near:
    """A row touches the slices, days or times, that ``expression`` names: one or an array of them. Its ``moment``, an
    SQL expression for a time, is at most so many days ``before`` such a slice, and ``after`` it. A table's statistics
    can judge that where it is a column, and the expression they cannot."""

    expression: str
    moment: str
    before: int = 0
    after: int = 0

    def near(self, slices: Sequence[object]) -> str:
        """An SQL condition that holds for every row that touches one of ``slices``, and for some that do not; nothing
        where that cannot be said by days."""
        # A time is given as it is somewhere, and may be of the day before or after where the session is.
        days = [_day(value, shift) for value in slices for shift in (-1, 1) if isinstance(value, datetime)]
        days += [value for value in slices if isinstance(value, date) and not isinstance(value, datetime)]
        if not all(isinstance(value, date) for value in slices):
            return ""
        spans = _spans(days, self.before, self.after)
        return " OR ".join(
            f"{self.moment} >= {literal(first)}"
            + (f" AND {self.moment} < {literal(_day(last, 1))}" if last < date.max else "")
            for first, last in spans
        )


def _spans(days: Sequence[date], before: int, after: int) -> list[tuple[date, date]]:
    """The days, and so many before and after each, as spans from a first to a last day; near ones are one."""
    spans: list[tuple[date, date]] = []
    for day in sorted(days):
        first, last = _day(day, -before), _day(day, after)
        if spans and first <= _day(spans[-1][1], 1):
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _day(value: date, later: int) -> date:
    """So many days later, or the last or first day that there is."""
    day = value.date() if isinstance(value, datetime) else value
    return date.fromordinal(min(max(day.toordinal() + later, date.min.toordinal()), date.max.toordinal()))
