"""A source's account: what an audit has counted, and what that means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from lakeloop.governance.files import Files
from lakeloop.governance.words import counted
from lakeloop.tables import Table

# How a key of silver can differ from what bronze gives, and what that means.
MISSING, SURPLUS, DIFFERENT, DOUBLED = "missing", "surplus", "different", "doubled"


@dataclass(frozen=True)
class Judged:
    """What the rules make of bronze's rows, and what quarantine holds: ``held`` rows, ``unlike`` where it differs."""

    rows: int
    kept: int
    quarantined: int
    dropped: int
    held: int
    dropped_by: dict[str, int]
    warned_by: dict[str, int]
    unlike: list[str]


@dataclass(frozen=True)
class Keys:
    """The keys that bronze gives (``expected``) against silver's ``rows``: how many differ in which way, examples."""

    expected: int
    rows: int
    differing: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceAudit:
    """One source's account. ``problems`` are rows that are not accounted for; ``notes`` are worth knowing."""

    source: str
    version: int
    bronze: int
    silver: int
    superseded: int
    quarantined: int
    dropped: int
    dropped_by: Mapping[str, int]
    warned_by: Mapping[str, int]
    files: Files
    problems: Sequence[str]
    notes: Sequence[str]

    @property
    def difference(self) -> int:
        """How many rows of bronze are nowhere; below zero where rows are too many."""
        return self.bronze - self.silver - self.superseded - self.quarantined - self.dropped


def with_findings(
    found: SourceAudit,
    judged: Judged,
    keys: Keys,
    intervals: Sequence[str],
    newest: int,
    consumed: Mapping[Table, int],
    command: str,
) -> SourceAudit:
    """The account with what is wrong in it (with its history: ``intervals``) and what is worth knowing, in words."""
    name = found.source
    problems = []
    if judged.rows != found.bronze:
        problems.append(
            f"bronze.{name} has {found.bronze:,} rows, but its columns' expressions give {judged.rows:,}: an "
            "expression must give one value a row"
        )
    if found.difference:
        problems.append(
            f"{found.bronze:,} rows in bronze, but {found.silver:,} in silver, {found.superseded:,} superseded, "
            f"{found.quarantined:,} quarantined and {found.dropped:,} dropped: "
            + (f"{found.difference:,} nowhere" if found.difference > 0 else f"{-found.difference:,} too many")
        )
    words = {
        MISSING: "missing in silver",
        SURPLUS: "in silver that bronze does not give",
        DIFFERENT: "with other values in silver than in their newest version in bronze",
        DOUBLED: "in silver more than once",
    }
    problems += [
        f"{counted(keys.differing[kind], 'key')} {what}: {'; '.join(keys.samples[kind])}"
        for kind, what in words.items()
        if kind in keys.differing
    ]
    problems += [f"quarantine.{name} {what}" for what in judged.unlike]
    problems += intervals
    notes = [
        f"{table} is behind bronze (version {version} of {newest}): run `lakeloop silver {command}`"
        for table, version in consumed.items()
        if version != newest
    ]
    advice = {
        "waiting": f"not ingested yet (run `lakeloop bronze {command}`)",
        "empty": "without a row",
        "changed": "written anew after being read (a name is read once: deliver the new content under a new one)",
    }
    notes += [
        f"{counted(found.files.count(state), 'file')} {what}: {found.files.examples[state]}"
        for state, what in advice.items()
        if found.files.count(state)
    ]
    rejected = found.files.count("rejected")
    if rejected:
        notes.append(
            f"{counted(rejected, 'file')} rejected (it cannot be read: deliver it mended under a new name; "
            f"governance.rejected_files has all): {'; '.join(found.files.rejected)}"
        )
    if found.files.undecoded:
        notes.append(
            f"{counted(found.files.undecoded, 'row')} with bytes that are not of the files' encoding, which became "
            f"\ufffd (see sources.{name}.options.encoding): {found.files.examples['undecoded']}"
        )
    return SourceAudit(**{**vars(found), "problems": tuple(problems), "notes": tuple(notes)})


def plain(found: SourceAudit) -> dict[str, object]:
    """An account as plain data."""
    return {**vars(found), "files": vars(found.files), "difference": found.difference}


def show(console: Console, accounts: Sequence[SourceAudit]) -> None:
    """One line a source, then the rules that dropped or warned, then what is worth knowing."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("source", no_wrap=True)
    for title in ("files", "bronze", "silver", "superseded", "quarantined", "dropped", "difference"):
        grid.add_column(title, justify="right", no_wrap=True)
    for found in accounts:
        ingested = sum(found.files.count(state) for state in ("ingested", "changed", "removed"))
        numbers = (ingested, found.bronze, found.silver, found.superseded, found.quarantined, found.dropped)
        grid.add_row(
            found.source,
            *[f"{number:,}" for number in numbers],
            f"[red]{found.difference:,}[/]" if found.problems else "[green]0[/]",
        )
    if accounts:
        console.print(grid)
    for found in accounts:
        for what, counts in (("dropped", found.dropped_by), ("kept with a warning", found.warned_by)):
            for rule, count in counts.items():
                console.print(f"  {found.source}: {counted(count, 'row')} {what} by {escape(rule)}")
        for note in found.notes:
            console.print(f"  [yellow]note[/] {found.source}: {escape(note)}")
