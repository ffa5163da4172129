"""The engine: every table after bronze is a derivation, and this is the one place that runs them.

A derivation says what a table is: named inputs, a pure function from their rows to its rows, and how its rows are
identified. The engine finds what changed in the inputs since the versions that the table last consumed, hands the
function just the rows or slices that this touches, and commits the result together with the consumed versions. A
run that is killed has either made that commit or not; there is nothing else to get wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.change_feed import CHANGE_COLUMNS, changed_rows, net_changes
from lakeloop.commits import Commit
from lakeloop.derivation import ALL, NOTHING, Appended, ByKey, BySlice, DaysAfter, Derivation, Folded
from lakeloop.literals import is_in
from lakeloop.tables import Lakehouse, Table, is_conflict, is_missing_file

# Above this many slices a rebuild of the table is cheaper than naming them one by one.
MOST_SLICES = 4000
# Maintenance of an input is noted when it is so old, see Engine._worth_noting: well below the 30 days of a Delta log.
NOTED_AFTER = timedelta(days=7)
# Why a table is made anew, where the configuration is the reason.
DEFINITION_CHANGED, INPUTS_CHANGED = "its definition changed", "its inputs changed"


@dataclass(frozen=True)
class Outcome:
    """What a run did to one table. ``rows_in`` counts the first input's rows or changes, ``rows_out`` the rows
    written; ``action`` is unchanged, updated, rebuilt or created; ``reason`` tells why a table was rebuilt;
    ``consumed`` the versions of its inputs that the run looked at."""

    table: Table
    action: str
    version: int
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    reason: str = ""
    consumed: Mapping[str, int] = field(default_factory=dict)


class Engine:
    """Runs derivations on a lakehouse; remembers the versions that it has seen and made during one run."""

    def __init__(self, lakehouse: Lakehouse, run: str, rebuild: bool = False, now: datetime | None = None) -> None:
        self.lakehouse = lakehouse
        self.run = run
        self.rebuild = rebuild
        self.now = now or datetime.now(timezone.utc)
        self._latest: dict[Table, Commit | None] = {}
        self._rows: dict[Table, tuple[int, int]] = {}

    def latest(self, table: Table) -> Commit | None:
        """The table's newest commit as this run sees it: read once, or made by this run."""
        if table not in self._latest:
            self._latest[table] = self.lakehouse.latest(table)
        return self._latest[table]

    def note(self, table: Table, commit: Commit, rows: int | None = None) -> None:
        """``commit`` is the table's newest now; with ``rows``, what is in it: whoever reads all of it in this run need
        not count."""
        self._latest[table] = commit
        if rows is not None:
            self._rows[table] = (commit.version, rows)

    def derive(self, derivation: Derivation) -> Outcome:
        """Brings the derivation's table up to date with its inputs, in one commit or none. Where somebody else commits
        to the table meanwhile, once more from what is there then."""
        try:
            return self._derive(derivation)
        except Exception as error:
            if not is_conflict(error):
                raise
        return self._derive(derivation)

    def _derive(self, derivation: Derivation) -> Outcome:
        started = time.monotonic()
        versions = {table: self._version(table) for table in derivation.inputs}
        known = self.lakehouse.last_progress(derivation.output)
        self._latest.pop(derivation.output, None)
        progress = {
            "consumed": {str(table): version for table, version in versions.items()},
            "fingerprint": derivation.fingerprint,
            "run": self.run,
        }
        if known is None:
            rows_in = self._build(derivation, versions, progress, known=None)
            return self._outcome(derivation, "created", self._made(derivation), versions, rows_in, started)
        commit, last = known
        reason = self._why_rebuild(derivation, last)
        rows_in = 0
        if not reason:
            try:
                unseen = self._unseen(last, versions)
                if not self._worth_noting(unseen):
                    self._latest[derivation.output] = commit
                    return Outcome(derivation.output, "unchanged", commit.version, seconds=time.monotonic() - started)
                changed = {table: commits for table, commits in unseen.items() if _changes_rows(commits)}
                if changed:
                    rows_in = self._update(derivation, versions, changed, progress, commit.version)
            except _Rebuild as why:
                reason = str(why)
        if reason:
            rows_in = self._build(derivation, versions, progress, commit.version)
        made = self._made(derivation)
        if made == commit:
            self.lakehouse.note_progress(derivation.output, progress)
            del self._latest[derivation.output]
            made = self._made(derivation)
        return self._outcome(derivation, "rebuilt" if reason else "updated", made, versions, rows_in, started, reason)

    def outlook(self, derivation: Derivation) -> tuple[str, str]:
        """What `derive` would do with the tables as they are, and why: nothing, create, update or rebuild."""
        known = self.lakehouse.last_progress(derivation.output)
        if known is None:
            return "create", "it is not there yet"
        reason = self._why_rebuild(derivation, known[1])
        if reason:
            return "rebuild", reason
        there = {table: self.latest(table) for table in derivation.inputs}
        versions = {table: newest.version for table, newest in there.items() if newest is not None}
        try:
            unseen = self._unseen(known[1], versions)
        except _Rebuild as why:
            return "rebuild", str(why)
        newer = [
            f"{table} has version {versions[table]}, it has seen {versions[table] - len(commits)}"
            for table, commits in unseen.items()
            if _changes_rows(commits)
        ]
        return ("update", "; ".join(newer)) if newer else ("nothing", "")

    def _version(self, table: Table) -> int:
        commit = self.latest(table)
        if commit is None:
            raise LookupError(f"{table} is not there yet")
        return commit.version

    def _why_rebuild(self, derivation: Derivation, last: Mapping[str, object]) -> str:
        """Why what the table consumed last does not help, or nothing."""
        consumed = last.get("consumed")
        if self.rebuild:
            return "asked for"
        if not isinstance(consumed, dict):
            return "no record of what it was made from"
        if last.get("fingerprint") != derivation.fingerprint:
            return DEFINITION_CHANGED
        if set(consumed) != {str(table) for table in derivation.inputs}:
            return INPUTS_CHANGED
        return ""

    def _unseen(self, last: Mapping[str, object], versions: Mapping[Table, int]) -> dict[Table, list[Commit]]:
        """The commits of each input up to ``versions`` that the table has not consumed; _Rebuild where some are gone
        from the input's log."""
        consumed = last["consumed"]
        assert isinstance(consumed, dict)
        unseen = {}
        for table, upto in versions.items():
            after = int(consumed[str(table)])
            if after != upto:
                unseen[table] = self._commits(table, after, upto)
                if len(unseen[table]) != upto - after:
                    raise _Rebuild(f"the change data feed of {table} no longer reaches back to version {after}")
        return unseen

    def _commits(self, table: Table, after: int, upto: int) -> list[Commit]:
        """The commits of a table behind the version ``after``, those that are in its log up to ``upto``."""
        newest = self._latest.get(table)
        if newest is not None and newest.version == upto == after + 1:
            # Most often there is this one alone, and it is known: a history costs a query.
            return [newest]
        # Others may have committed since this run looked; that is for the next one.
        return [item for item in self.lakehouse.commits_after(table, after) if item.version <= upto]

    def _worth_noting(self, unseen: Mapping[Table, Sequence[Commit]]) -> bool:
        """Whether a commit should say that these were consumed. Maintenance alone is not worth it, until it is so old
        that the input's log may soon be cut behind it."""
        old = self.now - NOTED_AFTER
        return any(item.changes_rows or item.at < old for commits in unseen.values() for item in commits)

    def _build(
        self,
        derivation: Derivation,
        versions: Mapping[Table, int],
        progress: Mapping[str, object],
        known: int | None,
    ) -> int:
        """All of the table, at version ``known`` if it is there, from all of its inputs; returns the first input's
        rows."""
        lakehouse = self.lakehouse
        inputs = self._inputs(derivation, versions)
        rows = derivation.compute(inputs)
        identity = derivation.identity
        if known is not None and isinstance(identity, ByKey) and identity.keeps:
            lakehouse.merge(derivation.output, rows, identity.key, progress)
        else:
            self._write(
                derivation,
                known,
                lambda after: lakehouse.create(derivation.output, rows, progress, derivation.properties, after),
            )
        first = derivation.inputs[0]
        version, counted = self._rows.get(first, (None, 0))
        return counted if version == versions[first] else inputs[first].count()

    def _inputs(self, derivation: Derivation, versions: Mapping[Table, int]) -> dict[Table, DataFrame]:
        """The inputs, at least as new as ``versions``. To travel to a version costs a second a table, and rows that
        another writer has added meanwhile do no harm where each is known by key or slice: the next run sees them as
        changes and computes them once more. Rows that are only added must be just those of the version."""
        exact = isinstance(derivation.identity, Appended)
        return {table: self.lakehouse.read(table, at if exact else None) for table, at in versions.items()}

    def _update(
        self,
        derivation: Derivation,
        versions: Mapping[Table, int],
        commits: Mapping[Table, Sequence[Commit]],
        progress: Mapping[str, object],
        known: int,
    ) -> int:
        """The part of the table, at version ``known``, that the changes of its inputs (``commits``) touch; returns the
        first input's changed rows. _Rebuild where they cannot be followed, or their files are gone (by VACUUM)."""
        try:
            return self._follow(derivation, versions, commits, progress, known)
        except Exception as error:
            if not is_missing_file(error):
                raise
            names = " or ".join(str(table) for table in commits)
            raise _Rebuild(f"files of the change data feed of {names} are gone") from error

    def _follow(
        self,
        derivation: Derivation,
        versions: Mapping[Table, int],
        commits: Mapping[Table, Sequence[Commit]],
        progress: Mapping[str, object],
        known: int,
    ) -> int:
        identity = derivation.identity
        first = derivation.inputs[0]
        changes = {
            table: self.lakehouse.changes(table, versions[table] - len(unseen), versions[table])
            for table, unseen in commits.items()
        }
        if isinstance(identity, BySlice):
            self._update_slices(derivation, identity, versions, changes, progress, known)
        else:
            if set(commits) != {first}:
                raise _Rebuild("an input without keys of the table changed")
            inputs = self._inputs(derivation, versions)
            if isinstance(identity, ByKey) and not identity.newest:
                source_key = identity.source_key or identity.key
                inputs[first], deleted = net_changes(changes[first], source_key)
                rows = derivation.compute(inputs)
                if source_key == identity.key:
                    # Gone from the input, or no longer yielded by the function.
                    deleted = changes[first].select(*source_key).subtract(rows.select(*source_key))
                else:
                    there = self.lakehouse.read(derivation.output).select(*identity.key)
                    deleted = there.join(deleted, list(source_key), "left_semi")
                self.lakehouse.merge(derivation.output, rows, identity.key, progress, deleted=deleted)
            else:
                if any(commit.operation in ("DELETE", "UPDATE", "MERGE", "RESTORE") for commit in commits[first]):
                    raise _Rebuild(f"rows of {first} were changed, where they should only be added")
                new = changes[first].filter("_change_type = 'insert'").drop(*CHANGE_COLUMNS)
                whole, inputs[first] = inputs[first], new
                if isinstance(identity, Folded):
                    rows = identity.fold(new, self.lakehouse.read(derivation.output), whole)
                    self.lakehouse.merge(derivation.output, rows, identity.key, progress, told_by=identity.told_by)
                elif isinstance(identity, ByKey):
                    rows = derivation.compute(inputs)
                    self.lakehouse.merge(derivation.output, rows, identity.key, progress, newest=identity.newest)
                else:
                    rows = derivation.compute(inputs)
                    self._append(derivation, rows, progress, known)
        return sum(changed_rows(commit) for commit in commits.get(first, ()))

    def _update_slices(
        self,
        derivation: Derivation,
        identity: BySlice,
        versions: Mapping[Table, int],
        changes: Mapping[Table, DataFrame],
        progress: Mapping[str, object],
        known: int,
    ) -> None:
        """Rebuilds the slices that the changes touch, with replaceWhere; slices that are not there yet, as a new day's,
        are added, which costs a fifth. Both follow version ``known``: of two runs at once one does it."""
        slices = self._touched(identity, changes)
        if not slices:
            return
        inputs = self._inputs(derivation, versions)
        for table in identity.restricted:
            inputs[table] = inputs[table].filter(_touching(inputs[table], identity.touched[table], slices))
        predicate = is_in(".".join(f"`{part}`" for part in identity.column.split(".")), slices)
        rows = derivation.compute(inputs).filter(predicate)
        if self.lakehouse.holds(derivation.output, predicate):
            self._write(
                derivation,
                known,
                lambda after: self.lakehouse.replace_where(derivation.output, rows, predicate, progress, after),
            )
        else:
            self._append(derivation, rows, progress, known)

    def _append(self, derivation: Derivation, rows: DataFrame, progress: Mapping[str, object], known: int) -> None:
        self._write(derivation, known, lambda after: self.lakehouse.append(derivation.output, rows, progress, after))

    def _write(self, derivation: Derivation, known: int | None, write: Callable[[int | None], None]) -> None:
        """A write that follows the table's version ``known``. Delta leaves it out where the log says that what follows
        it is there; if nothing is, the log speaks of another table, as in a deep CLONE, and it is written unmarked."""
        write(known)
        if known is not None and self._made(derivation).version == known:
            del self._latest[derivation.output]
            write(None)

    def _touched(self, identity: BySlice, changes: Mapping[Table, DataFrame]) -> list[object]:
        """The slices that the changed rows touch; all of them at once, in one action."""
        touched = None
        for table, rows in changes.items():
            touches = identity.touched.get(table, ALL)
            expression = touches.slices() if isinstance(touches, DaysAfter) else touches
            if expression == ALL:
                raise _Rebuild(f"{table} changed, which touches every slice")
            if expression == NOTHING:
                continue
            values = rows.select(F.expr(expression).alias("slice"))
            if _is_array(rows, expression):
                values = values.select(F.explode_outer("slice").alias("slice"))
            touched = values if touched is None else touched.unionByName(values)
        if touched is None:
            return []
        slices = [row["slice"] for row in touched.distinct().limit(MOST_SLICES + 1).collect()]
        if len(slices) > MOST_SLICES:
            raise _Rebuild(f"more than {MOST_SLICES} slices are touched")
        return sorted(slices, key=lambda value: (value is not None, value))

    def _made(self, derivation: Derivation) -> Commit:
        """The table's newest commit after it was written; read once."""
        commit = self.latest(derivation.output)
        assert commit is not None
        return commit

    def _outcome(
        self,
        derivation: Derivation,
        action: str,
        commit: Commit,
        versions: Mapping[Table, int],
        rows_in: int,
        started: float,
        reason: str = "",
    ) -> Outcome:
        whole = action in ("created", "rebuilt") and commit.operation != "MERGE"
        self.note(derivation.output, commit, changed_rows(commit) if whole else None)
        return Outcome(
            derivation.output,
            action,
            commit.version,
            rows_in,
            changed_rows(commit),
            time.monotonic() - started,
            reason,
            {str(table): version for table, version in versions.items()},
        )


def _changes_rows(commits: Sequence[Commit]) -> bool:
    return any(commit.changes_rows for commit in commits)


class _Rebuild(Exception):
    """What changed cannot be followed; the whole table is made anew, and the reason is told."""


def _is_array(rows: DataFrame, expression: str) -> bool:
    return rows.select(F.expr(expression).alias("slice")).schema["slice"].dataType.typeName() == "array"


def _touching(rows: DataFrame, expression: str | DaysAfter, slices: Sequence[object]) -> str:
    """An SQL condition: a row, which touches the slices that ``expression`` names, touches one of these."""
    if isinstance(expression, DaysAfter):
        return expression.touching(slices) or "false"
    if _is_array(rows, expression):
        return f"exists({expression}, _slice -> {is_in('_slice', slices)})"
    return is_in(f"({expression})", slices)
