"""One table, made or brought up to date: what the engine decided on is done here, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop import skipping
from lakeloop.change_feed import CHANGE_COLUMNS, net_changes
from lakeloop.commits import Commit
from lakeloop.derivation import Appended, ByKey, BySlice, Derivation, Folded
from lakeloop.difference import difference
from lakeloop.kept import kept
from lakeloop.literals import is_in
from lakeloop.slices import DaysAround, Near, Touched
from lakeloop.tables import Lakehouse, Table, is_missing_file
from lakeloop.touches import Cannot, Touches, are_days, named

# In what a commit carries: the greatest slice that the table may have at the version that this commit was to make.
_GREATEST = "greatest"
# Inputs that are planned at a time.
PLANNED_AT_ONCE = 4


class Making:
    """The work on the table of one derivation, from its inputs at ``versions``; ``known`` is the table's newest commit,
    None where it is not there yet. What it commits carries ``progress``. ``few`` rows are to be worked on."""

    def __init__(
        self,
        lakehouse: Lakehouse,
        derivation: Derivation,
        versions: Mapping[Table, int],
        progress: Mapping[str, object],
        known: Commit | None,
        few: bool,
    ) -> None:
        self._lakehouse = lakehouse
        self._few = few
        self._derivation = derivation
        self._versions = versions
        self._progress = dict(progress)
        self._known = known
        self._newest: Commit | None = None

    @property
    def newest(self) -> Commit:
        """The table's newest commit after the work; read once."""
        if self._newest is None:
            self._newest = self._lakehouse.latest(self._derivation.output)
        assert self._newest is not None
        return self._newest

    def build(self) -> DataFrame:
        """Makes all of the table from all of its inputs; returns the first input."""
        lakehouse, output, identity = self._lakehouse, self._derivation.output, self._derivation.identity
        inputs = self._inputs()
        rows = self._derivation.compute(inputs)
        if self._known is not None and isinstance(identity, ByKey) and identity.keeps:
            lakehouse.merge(output, rows, identity.key, self._progress)
        else:
            properties = self._statistics(rows)
            self._write(lambda after: lakehouse.create(output, rows, self._progress, properties, after))
        return inputs[self._derivation.inputs[0]]

    def _statistics(self, rows: DataFrame) -> Mapping[str, str]:
        """The property that says of which columns Delta keeps statistics. A table that is there has it changed before,
        for Delta refuses rows without such a column."""
        output, policy = self._derivation.output, self._lakehouse.settings.pipeline.maintenance
        looked_up = [*self._derivation.looked_up_by(), *policy.looked_up_by(str(output))]
        wanted = skipping.columns(rows.schema, looked_up)
        if self._known is not None:
            there = skipping.columns(self._lakehouse.read(output).schema, looked_up)
            wanted = [column for column in wanted if column in there]
            if self._lakehouse.set_property(output, skipping.PROPERTY, skipping.value(wanted), self._known.progress):
                self._known = self._lakehouse.latest(output)
        return {skipping.PROPERTY: skipping.value(wanted)} if wanted else {}

    def update(self, commits: Mapping[Table, Sequence[Commit]], touches: Touches) -> None:
        """Makes the part of the table anew that the changes of its inputs (``commits``) touch. Cannot where they cannot
        be followed, or their files are gone (by VACUUM)."""
        try:
            if isinstance(self._derivation.identity, BySlice):
                self._update_slices(self._derivation.identity, commits, touches)
            else:
                self._update_rows(commits)
        except Exception as error:
            if not is_missing_file(error):
                raise
            names = " or ".join(str(table) for table in commits)
            raise Cannot(f"files of the change data feed of {names} are gone") from error

    def note_progress(self) -> None:
        """A commit that says what was consumed, where nothing had to be written."""
        self._lakehouse.note_progress(self._derivation.output, self._progress)
        self._newest = None

    def _inputs(self) -> dict[Table, DataFrame]:
        """The inputs, at least as new as their versions. To travel to a version costs a second a table, and rows that
        another writer has added meanwhile do no harm where each is known by key or slice: the next run sees them as
        changes and computes them once more. Rows that are only added must be just those of the version."""
        exact = isinstance(self._derivation.identity, Appended)
        return {table: self._lakehouse.read(table, at if exact else None) for table, at in self._versions.items()}

    def _changes(self, table: Table, commits: Mapping[Table, Sequence[Commit]]) -> DataFrame:
        upto = self._versions[table]
        return self._lakehouse.changes(table, upto - len(commits[table]), upto)

    def _update_rows(self, commits: Mapping[Table, Sequence[Commit]]) -> None:
        derivation, identity, lakehouse = self._derivation, self._derivation.identity, self._lakehouse
        first, output = derivation.inputs[0], derivation.output
        if set(commits) != {first}:
            raise Cannot("an input without keys of the table changed")
        changes, inputs = self._changes(first, commits), self._inputs()
        if isinstance(identity, ByKey) and not identity.newest:
            source_key = identity.source_key or identity.key
            inputs[first], deleted = net_changes(changes, source_key)
            rows = derivation.compute(inputs)
            if source_key == identity.key:
                # Gone from the input, or no longer yielded by the function.
                deleted = changes.select(*source_key).subtract(rows.select(*source_key))
            else:
                there = lakehouse.read(output).select(*identity.key)
                deleted = there.join(deleted, list(source_key), "left_semi")
            lakehouse.merge(output, rows, identity.key, self._progress, deleted=deleted)
            return
        if any(commit.operation in ("DELETE", "UPDATE", "MERGE", "RESTORE") for commit in commits[first]):
            raise Cannot(f"rows of {first} were changed, where they should only be added")
        new = changes.filter("_change_type = 'insert'").drop(*CHANGE_COLUMNS)
        whole, inputs[first] = inputs[first], new
        if isinstance(identity, Folded):
            rows = identity.fold(new, lakehouse.read(output), whole)
            lakehouse.merge(output, rows, identity.key, self._progress, told_by=identity.told_by)
        elif isinstance(identity, ByKey):
            rows = derivation.compute(inputs)
            # Rows that come of changes alone are the same whenever they are computed.
            twice = self._few and len(inputs) == 1
            lakehouse.merge(output, rows, identity.key, self._progress, newest=identity.newest, twice=twice)
        else:
            self._append(derivation.compute(inputs))

    def _update_slices(self, identity: BySlice, commits: Mapping[Table, Sequence[Commit]], touches: Touches) -> None:
        """Rebuilds the slices that the changes touch; those that are not there yet, as a new day's, are added. What is
        written follows the table's version: of two runs at once one does it."""
        slices = touches.slices(identity, commits, lambda table: self._changes(table, commits))
        if not slices:
            greatest = self._greatest_told()
            if greatest is not None:
                self._tell_greatest(greatest)
            return
        inputs = self._inputs()
        for table in identity.restricted:
            inputs[table] = inputs[table].filter(_touching(inputs[table], identity.touched[table], slices))
        inputs |= self._planned({table: inputs[table] for table in inputs if table in identity.used_whole})
        rows = self._derivation.compute(inputs).filter(_among(identity.column, slices))
        if self._has_one_of(slices, identity.column):
            self._replace(slices, rows, identity.column)
        else:
            self._append(rows, named(slices, identity.column))

    def _planned(self, inputs: Mapping[Table, DataFrame]) -> dict[Table, DataFrame]:
        """These inputs, planned side by side where few rows changed; none that the session cannot keep. While Spark
        plans, Delta asks each table's log for its files, one after another: of eight tables that takes longer than
        their rows."""
        if not self._few or len(inputs) < 2:
            return {}
        with ThreadPoolExecutor(max_workers=PLANNED_AT_ONCE) as pool:
            frames = dict(zip(inputs, pool.map(kept, inputs.values()), strict=True))
        return {table: frame for table, frame in frames.items() if frame is not None}

    def _replace(self, slices: Sequence[object], rows: DataFrame, column: str) -> None:
        """Replaces slices that are there; where few rows changed, only as far as they differ."""
        output, found = self._derivation.output, None
        if self._few:
            there = self._lakehouse.read(output).filter(_among(column, slices))
            found = difference(rows, there, _quoted(column))
        if found is not None and found.only_more:
            if found.slices:
                self._append(found.missing(), named(found.slices, column))
            return
        if found is not None:
            slices, rows = found.slices, found.computed().filter(_among(column, found.slices))
        self._progress |= named(slices, column)
        predicate = _among(column, slices)
        self._write(lambda after: self._lakehouse.replace_where(output, rows, predicate, self._progress, after))

    def _has_one_of(self, slices: Sequence[object], column: str) -> bool:
        """Whether a row of the table may be of these slices. Where they are days, the greatest that it may have is
        looked up once, and then handed on from commit to commit; null is taken to be there."""
        days = [value for value in slices if isinstance(value, date)]
        if not are_days(slices) or not days:
            return self._lakehouse.holds(self._derivation.output, _among(column, slices))
        greatest = self._greatest_told()
        if greatest is None:
            greatest = self._greatest_there(column)
        self._tell_greatest(max(greatest, *days))
        return None in slices or min(days) <= greatest

    def _greatest_there(self, column: str) -> date:
        """The greatest slice of the table, a day; the last or first that Python has where it has none such."""
        try:
            found = self._lakehouse.greatest(self._derivation.output, column)
        except (ValueError, OverflowError):
            return date.max
        return found if isinstance(found, date) else date.min

    def _greatest_told(self) -> date | None:
        """The greatest slice by what the table's newest commit says, if that came right after what it was told from:
        not where somebody else wrote in between, or maintenance handed on what it knew before a run."""
        told = ((self._known and self._known.progress) or {}).get(_GREATEST)
        if self._known is None or not isinstance(told, dict) or told["version"] != self._known.version:
            return None
        return date.fromisoformat(told["slice"])

    def _tell_greatest(self, greatest: date) -> None:
        assert self._known is not None
        self._progress[_GREATEST] = {"slice": str(greatest), "version": self._known.version + 1}

    def _append(self, rows: DataFrame, told: Mapping[str, object] = MappingProxyType({})) -> None:
        """Adds rows; the commit carries what is ``told`` too."""
        self._progress |= told
        self._write(lambda after: self._lakehouse.append(self._derivation.output, rows, self._progress, after))

    def _write(self, write: Callable[[int | None], None]) -> None:
        """A write that follows the table's known version. Delta leaves it out where the log says that what follows it
        is there; if nothing is, the log speaks of another table, as in a deep CLONE, and it is written unmarked."""
        known = self._known.version if self._known else None
        write(known)
        if known is not None and self.newest.version == known:
            self._newest = None
            write(None)


def _quoted(column: str) -> str:
    """SQL for a column, given by its dotted path."""
    return ".".join(f"`{part}`" for part in column.split("."))


def _among(column: str, slices: Sequence[object]) -> str:
    """An SQL condition: a row is of one of these slices."""
    return is_in(_quoted(column), slices)


def _touching(rows: DataFrame, touched: Touched, slices: Sequence[object]) -> str:
    """An SQL condition: a row, which touches the slices that ``touched`` names, touches one of these."""
    if isinstance(touched, DaysAround):
        return touched.touching(slices)
    expression, near = (touched.expression, touched.near(slices)) if isinstance(touched, Near) else (touched, "")
    if rows.select(F.expr(expression).alias("slice")).schema["slice"].dataType.typeName() == "array":
        touching = f"exists({expression}, _slice -> {is_in('_slice', slices)})"
    else:
        touching = is_in(f"({expression})", slices)
    return f"({near}) AND {touching}" if near else touching
