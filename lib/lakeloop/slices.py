"""Slices: which of them a row touches, and which rows touch given ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lakeloop.literals import literal

# What a changed row of an input may touch, beside the slices that an expression names.
ALL, NOTHING = "all", "nothing"


@dataclass(frozen=True)
class DaysAround:
    """A row touches the slices of the days from so many ``before`` the day of its ``column``, a date or a timestamp, to
    so many ``after``; without one it touches the slice null."""

    column: str
    before: int = 0
    after: int = 0

    def slices(self) -> str:
        """SQL for the array of the days that a row touches, of those that Python has."""
        day = f"to_date(`{self.column}`)"
        first, last = f"date_sub({day}, {self.before})", f"date_add({day}, {self.after})"
        days = f"sequence(greatest({first}, {literal(date.min)}), least({last}, {literal(date.max)}))"
        return f"CASE WHEN {day} IS NULL THEN array({day}) ELSE {days} END"

    def slices_of(self, day: date | None) -> list[date | None]:
        """The slices that a row of this day touches."""
        if day is None:
            return [None]
        first, last = _day(day, -self.before), _day(day, self.after)
        return [first + timedelta(days=later) for later in range((last - first).days + 1)]

    def touching(self, slices: Sequence[object]) -> str:
        """An SQL condition that a table's statistics can judge: a row touches one of these days, or one between two
        that a row can touch both."""
        days = [day for day in slices if isinstance(day, date)]
        # What touches days after its own lies before them.
        conditions = [_within(f"`{self.column}`", _spans(days, before=self.after, after=self.before))] if days else []
        conditions += [f"`{self.column}` IS NULL"] if None in slices else []
        return " OR ".join(conditions)


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
        return _within(self.moment, _spans(days, self.before, self.after))


# Which slices a row touches: an SQL expression for one or an array of them, or in days, or ALL or NOTHING.
Touched = str | Near | DaysAround


def _within(moment: str, spans: Sequence[tuple[date, date]]) -> str:
    """An SQL condition: a date or time is of a day within one of these spans."""
    return " OR ".join(
        f"{moment} >= {literal(first)}" + (f" AND {moment} < {literal(_day(last, 1))}" if last < date.max else "")
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
