"""Which slices of a table the changes of its inputs touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import date
from threading import Lock

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.commits import Commit
from lakeloop.derivation import BySlice, Derivation
from lakeloop.slices import ALL, NOTHING, DaysAround, Near, Touched
from lakeloop.tables import Table

# Above this many slices a rebuild of the table is cheaper than naming them one by one.
MOST_SLICES = 4000
# So many slices are named in the commit that wrote them.
MOST_NAMED = 100


class Cannot(Exception):
    """What changed cannot be followed; the whole table is made anew, and the reason is told."""


class Touches:
    """Asks the changes of a table once for all derivations that want to know, and only where their commits do not say
    which slices they wrote."""

    def __init__(self) -> None:
        self._expected: dict[Table, list[str]] = {}
        self._asked: dict[tuple[Table, int, int], Future[Mapping[str, set[object]]]] = {}
        self._lock = Lock()

    def expect(self, derivations: Iterable[Derivation]) -> None:
        """These derivations will be run side by side."""
        expected: dict[Table, list[str]] = {}
        for derivation in derivations:
            if isinstance(derivation.identity, BySlice):
                for table, touched in derivation.identity.touched.items():
                    if not isinstance(touched, DaysAround) and touched not in (ALL, NOTHING):
                        expected.setdefault(table, []).append(_expression(touched))
        self._expected = expected

    def slices(
        self, identity: BySlice, commits: Mapping[Table, Sequence[Commit]], changes: Callable[[Table], DataFrame]
    ) -> list[object]:
        """The slices that the ``commits`` of the inputs touch, sorted, null first; ``changes`` reads a table's change
        data feed over its commits. Cannot where that is all slices, or more than MOST_SLICES."""
        found: set[object] = set()
        asked: list[DataFrame] = []
        for table, unseen in commits.items():
            touched = identity.touched.get(table, ALL)
            if touched == ALL:
                raise Cannot(f"{table} changed, which touches every slice")
            if touched == NOTHING:
                continue
            told = _told(touched, unseen)
            if told is None and not isinstance(touched, DaysAround) and len(self._expected.get(table, ())) > 1:
                told = self._together(table, unseen, changes).get(_expression(touched))
            if told is None:
                asked.append(_touched(changes(table), touched))
            else:
                found |= told
        if asked:
            rows = asked[0]
            for more in asked[1:]:
                rows = rows.unionByName(more)
            try:
                found |= {row["slice"] for row in rows.distinct().limit(MOST_SLICES + 1).collect()}
            except (ValueError, OverflowError) as error:
                # Spark's dates go further than Python's.
                raise Cannot("a changed row is of a day outside the years 1 to 9999") from error
        if identity.present:
            found.discard(None)
        if len(found) > MOST_SLICES:
            raise Cannot(f"more than {MOST_SLICES} slices are touched")
        return sorted(found, key=lambda value: (value is not None, value))

    def _together(
        self, table: Table, commits: Sequence[Commit], changes: Callable[[Table], DataFrame]
    ) -> Mapping[str, set[object]]:
        """What every expression that is expected of the table's changes comes to, in one action; who comes second waits
        for it. Nothing where they cannot be had together: then each asks for itself, and its error is its own."""
        versions = [commit.version for commit in commits]
        key = (table, min(versions), max(versions))
        with self._lock:
            first = key not in self._asked
            future = self._asked.setdefault(key, Future())
        if first:
            try:
                future.set_result(_distinct(changes(table), list(dict.fromkeys(self._expected[table]))))
            except Exception:
                future.set_result({})
        return future.result()


def named(slices: Sequence[object], column: str) -> dict[str, object]:
    """What a commit that writes these slices says of them: nothing where they are not days, or too many."""
    if len(slices) > MOST_NAMED or not are_days(slices):
        return {}
    return {"slices": {column: [day and str(day) for day in slices]}}


def are_days(slices: Sequence[object]) -> bool:
    """Whether all of them are dates (without a time) or null."""
    return all(value is None or type(value) is date for value in slices)


def _expression(touched: str | Near) -> str:
    """The SQL expression that names the touched slices."""
    return touched.expression if isinstance(touched, Near) else touched


def _told(touched: Touched, commits: Sequence[Commit]) -> set[object] | None:
    """The touched slices by what the commits themselves say; None where one says nothing."""
    column = touched.column if isinstance(touched, DaysAround) else _expression(touched).strip("`")
    found: set[object] = set()
    for commit in commits:
        if commit.changes_rows:
            slices = (commit.progress or {}).get("slices")
            if not isinstance(slices, dict) or column not in slices:
                return None
            for text in slices[column]:
                day = None if text is None else date.fromisoformat(text)
                found.update(touched.slices_of(day) if isinstance(touched, DaysAround) else [day])
    return found


def _touched(changes: DataFrame, touched: Touched) -> DataFrame:
    """A row (``slice``) for each slice that a changed row touches."""
    if isinstance(touched, DaysAround):
        return changes.select(F.explode(F.expr(touched.slices())).alias("slice"))
    values = changes.select(F.expr(_expression(touched)).alias("slice"))
    if values.schema["slice"].dataType.typeName() == "array":
        return values.select(F.explode_outer("slice").alias("slice"))
    return values


def _distinct(changes: DataFrame, expressions: Sequence[str]) -> Mapping[str, set[object]]:
    """The values of each expression, in one action; without those that yield arrays, and nothing where there are too
    many."""
    values = changes.select(*[F.expr(text).alias(f"_{number}") for number, text in enumerate(expressions)])
    plain = [field.name for field in values.schema if field.dataType.typeName() != "array"]
    rows = values.select(*plain).distinct().limit(MOST_SLICES + 1).collect() if plain else []
    if len(rows) > MOST_SLICES:
        return {}
    return {expressions[int(name[1:])]: {row[name] for row in rows} for name in plain}
