"""What a table is: a function of other tables, and how its rows are identified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from lakeloop.slices import Touched
from lakeloop.tables import Table

Rows = Mapping[Table, DataFrame]


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
class BySlice:
    """Rows are rebuilt in slices, the values of ``column``.

    ``touched`` says for each input which slices a changed row of it touches: an SQL expression for a value or an
    array of values, Near, DaysAround, or 'all' or 'nothing'. Inputs in ``restricted`` are handed to the function with
    just the rows that touch these slices (and perhaps a few more); the others whole. Of those in ``used_whole`` it
    uses every column of every row that it is handed, so they may be planned before it. With ``present`` the column is
    never null, and a changed row whose slice would be touches none. ``key`` is what people find a row by, if any."""

    column: str
    touched: Mapping[Table, Touched]
    restricted: frozenset[Table] = frozenset()
    present: bool = False
    key: tuple[str, ...] = ()
    used_whole: frozenset[Table] = frozenset()


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

    def looked_up_by(self) -> tuple[str, ...]:
        """The columns that its rows are found by: key and slice."""
        if isinstance(self.identity, BySlice):
            return (self.identity.column, *self.identity.key)
        return () if isinstance(self.identity, Appended) else self.identity.key
