"""What a table is: a function of other tables, and how its rows are identified."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from pyspark.sql import DataFrame

from lakeloop.literals import literal
from lakeloop.tables import Table

Rows = Mapping[Table, DataFrame]
# What a changed row of an input may touch, beside the slices that an expression names.
ALL, NOTHING = "all", "nothing"


@dataclass(frozen=True)
class ByKey:
    """A row is known by its key. The first input is keyed alike, and its changed keys are computed anew.

    With ``newest`` the first input is append-only and not keyed: its new rows are computed, and a row replaces that
    of its key where these columns, compared in order, are greater. With ``keeps`` the rows of keys that a rebuild
    does not yield stay (predictions of earlier models). ``source_key`` is the first input's key, where the output's
    has more columns (the model's version); a key that is gone from the input leaves none of its rows."""

    key: tuple[str, ...]
    newest: tuple[str, ...] = ()
    keeps: bool = False
    source_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class DaysAfter:
    """A row touches the slices of the days from that of its ``column``, a date, to so many ``days`` later; without a
    date it touches none."""

    column: str
    days: int

    def slices(self) -> str:
        """SQL for the array of the days that a row touches."""
        return f"sequence(`{self.column}`, date_add(`{self.column}`, {self.days}))"

    def touching(self, slices: Sequence[object]) -> str:
        """An SQL condition that a table's statistics can judge: a row touches one of these days, or one between two
        that a row can touch both."""
        spans: list[list[date]] = []
        for day in sorted(day for day in slices if isinstance(day, date)):
            if spans and (day - spans[-1][1]).days <= self.days + 1:
                spans[-1][1] = day
            else:
                spans.append([day, day])
        reach = timedelta(days=self.days)
        return " OR ".join(
            f"`{self.column}` BETWEEN {literal(first - reach)} AND {literal(last)}" for first, last in spans
        )


@dataclass(frozen=True)
class BySlice:
    """Rows are rebuilt in slices, the values of ``column``.

    ``touched`` says for each input which slices a changed row of it touches: an SQL expression for a value or an
    array of values, DaysAfter, or 'all' or 'nothing'. Inputs in ``restricted`` are handed to the function with just the
    rows that touch these slices (and perhaps a few more); the others whole. With ``present`` the column is never null,
    and a changed row whose slice would be touches none."""

    column: str
    touched: Mapping[Table, str | DaysAfter]
    restricted: frozenset[Table] = frozenset()
    present: bool = False


@dataclass(frozen=True)
class Folded:
    """New rows of the one, append-only input are folded into the rows that are there.

    ``fold`` is given the new rows, the output and the whole input, which it need not read, and returns rows of the
    output that may be others now, those that must not be there marked as GONE. A row is known by its ``key``, and
    written where one of the columns ``told_by`` is another than before. To fold rows in that are in already must change
    nothing: another run may have done so."""

    key: tuple[str, ...]
    fold: Callable[[DataFrame, DataFrame, DataFrame], DataFrame]
    told_by: tuple[str, ...]


@dataclass(frozen=True)
class Appended:
    """Each row of the one, append-only input gives rows of its own, and none is ever changed."""


@dataclass(frozen=True)
class Derivation:
    """A table as a function of other tables. ``fingerprint`` changes when what defines it changes."""

    output: Table
    inputs: tuple[Table, ...]
    compute: Callable[[Rows], DataFrame]
    identity: ByKey | BySlice | Folded | Appended
    fingerprint: str
    properties: Mapping[str, str] = field(default_factory=dict)
