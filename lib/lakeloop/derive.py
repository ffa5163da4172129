"""The engine: every table after bronze is a derivation, and this is the one place that runs them.

A derivation says what a table is: named inputs, a pure function from their rows to its rows, and how its rows are
identified. The engine finds what changed in the inputs since the versions that the table last consumed, hands the
function just the rows or slices that this touches, and commits the result together with the consumed versions. A
run that is killed has either made that commit or not; there is nothing else to get wrong.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from lakeloop.change_feed import changed_rows
from lakeloop.commits import Commit
from lakeloop.derivation import Derivation
from lakeloop.making import Making
from lakeloop.tables import Lakehouse, Table, is_conflict
from lakeloop.touches import Cannot, Touches

# So few rows are worked through before code for them is made and compiled: see Lakehouse.for_few_rows.
FEW_ROWS = 50_000
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
        self.touches = Touches()

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

    def counted(self, table: Table, version: int) -> int | None:
        """How many rows a version of the table has, where this run has counted them as it made it."""
        at, rows = self._rows.get(table, (None, None))
        return rows if at == version else None

    def holds_all(self, table: Table, rows_of: Table) -> bool:
        """Whether ``table``, whose rows are each made of one row of ``rows_of``, was made whole in this run, and of all
        of these."""
        made, read = self.latest(table), self.latest(rows_of)
        if made is None or read is None:
            return False
        rows = self.counted(rows_of, read.version)
        # Where nobody has added rows since, those that were counted are those that were read.
        still = self.lakehouse.latest(rows_of) == read
        # A commit whose metrics are switched off counts none.
        return bool(rows) and still and self.counted(table, made.version) == rows

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
            making = self._making(derivation, versions, progress, None, self._in_inputs(versions))
            rows_in = self._build(making, derivation, versions)
            return self._outcome(derivation, "created", making.newest, versions, rows_in, started)
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
                rows = sum(changed_rows(commit) for commits in changed.values() for commit in commits)
                making = self._making(derivation, versions, progress, commit, rows)
                if changed:
                    making.update(changed, self.touches)
                    rows_in = sum(changed_rows(item) for item in changed.get(derivation.inputs[0], ()))
            except Cannot as why:
                reason = str(why)
        if reason:
            making = self._making(derivation, versions, progress, commit, self._in_inputs(versions))
            rows_in = self._build(making, derivation, versions)
        if making.newest == commit:
            making.note_progress()
        action = "rebuilt" if reason else "updated"
        return self._outcome(derivation, action, making.newest, versions, rows_in, started, reason)

    def _making(
        self,
        derivation: Derivation,
        versions: Mapping[Table, int],
        progress: Mapping[str, object],
        known: Commit | None,
        rows: int | None,
    ) -> Making:
        """The work on so many rows, where that is known."""
        few = rows is not None and rows <= FEW_ROWS
        lakehouse = self.lakehouse.for_few_rows() if few else self.lakehouse
        return Making(lakehouse, derivation, versions, progress, known, few)

    def _build(self, making: Making, derivation: Derivation, versions: Mapping[Table, int]) -> int:
        """Makes all of the table; returns the first input's rows."""
        inputs = making.build()
        first = derivation.inputs[0]
        counted = self.counted(first, versions[first])
        return inputs.count() if counted is None else counted

    def _in_inputs(self, versions: Mapping[Table, int]) -> int | None:
        """How many rows the inputs have, where this run knows it of all of them."""
        counted = [self.counted(table, version) for table, version in versions.items()]
        known = [rows for rows in counted if rows is not None]
        return sum(known) if len(known) == len(counted) else None

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
        except Cannot as why:
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
        """The commits of each input up to ``versions`` that the table has not consumed; Cannot where some are gone
        from the input's log."""
        consumed = last["consumed"]
        assert isinstance(consumed, dict)
        unseen = {}
        for table, upto in versions.items():
            after = int(consumed[str(table)])
            if after != upto:
                unseen[table] = self._commits(table, after, upto)
                if len(unseen[table]) != upto - after:
                    raise Cannot(f"the change data feed of {table} no longer reaches back to version {after}")
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
