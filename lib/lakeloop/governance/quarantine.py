"""What was kept out of silver: why, since when, with examples; and how many rows a mended rule would let in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from lakeloop import silver
from lakeloop.config import sql
from lakeloop.config.sources import BARE_TYPE, Source
from lakeloop.errors import LakeloopError
from lakeloop.governance.words import counted
from lakeloop.pipeline import Run
from lakeloop.quality import FAILED
from lakeloop.silver import CORRUPT, FILE, INGESTED, METADATA
from lakeloop.tables import Lakehouse, Table

LONGEST = 40


@dataclass(frozen=True)
class Reason:
    """A rule that rows break: how many do, when the first and the last of them came, and some of them: the file and
    the raw values of the columns that the rule is about."""

    rule: str
    condition: str
    rows: int
    first: datetime
    last: datetime
    examples: Sequence[Mapping[str, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Quarantine:
    """A source's quarantined rows and why they are there; a row may have several reasons."""

    source: str
    rows: int
    reasons: Sequence[Reason]


@dataclass(frozen=True)
class Judgement:
    """What the present configuration makes of the quarantined rows that broke ``rule`` (empty: of all of them)."""

    rule: str
    rows: int
    passing: int
    dropped: int

    @property
    def staying(self) -> int:
        """How many stay in quarantine."""
        return self.rows - self.passing - self.dropped


@dataclass(frozen=True)
class Replay:
    """What became of a source's quarantined rows: ``counts`` is what the rules say of them (all first, then by the rule
    that they broke), ``after`` how many rows quarantine holds now, None where nothing was written."""

    source: str
    counts: Sequence[Judgement]
    changed: bool
    after: int | None


def look(lakehouse: Lakehouse, name: str, limit: int) -> Quarantine | None:
    """A source's quarantine with at most ``limit`` examples a rule, or None where there is no such table yet."""
    table = Table("quarantine", name)
    if lakehouse.latest(table) is None:
        return None
    rows = lakehouse.read(table)
    source = lakehouse.settings.pipeline.sources[name]
    found = reasons(rows, source)
    total = rows.count()
    if limit and found:
        shown = examples(rows, source, [reason.rule for reason in found], limit)
        found = [Reason(**{**vars(reason), "examples": shown.get(reason.rule, [])}) for reason in found]
    return Quarantine(name, total, found)


def reasons(rows: DataFrame, source: Source) -> list[Reason]:
    """The rules that quarantined rows break, those of most rows first; one action."""
    broken = rows.select(F.explode(FAILED).alias("rule"), INGESTED).groupBy("rule")
    counts = broken.agg(F.count(F.lit(1)).alias("rows"), F.min(INGESTED).alias("first"), F.max(INGESTED).alias("last"))
    found = sorted(counts.collect(), key=lambda row: (-row["rows"], row["rule"]))
    return [
        Reason(
            row["rule"],
            source.expect[row["rule"]].rule if row["rule"] in source.expect else "",
            row["rows"],
            # Spark hands out local times without a zone.
            row["first"].astimezone(timezone.utc),
            row["last"].astimezone(timezone.utc),
        )
        for row in found
    ]


def examples(
    rows: DataFrame, source: Source, rules: Sequence[str], limit: int
) -> dict[str, list[dict[str, str | None]]]:
    """For each rule some of the rows that break it, the newest first: `_source_file` and the raw columns that the rule
    is about, as texts that are cut where they are long; one action."""
    raw = [column for column in rows.columns if column not in (*METADATA, FAILED)]
    asked = {rule: [FILE, *columns_of(rule, source, raw)] for rule in rules}
    shown = dict.fromkeys(column for columns in asked.values() for column in columns)
    newest = Window.partitionBy("_rule").orderBy(F.col(INGESTED).desc(), FILE)
    numbered = rows.withColumn("_rule", F.explode(FAILED)).withColumn("_number", F.row_number().over(newest))
    few = numbered.filter(F.col("_number") <= limit).select(
        "_rule", "_number", *[_cut(column).alias(column) for column in shown]
    )
    found: dict[str, list[dict[str, str | None]]] = {rule: [] for rule in rules}
    for row in sorted(few.collect(), key=lambda row: row["_number"]):
        if row["_rule"] in found:
            found[row["_rule"]].append({column: row[column] for column in asked[row["_rule"]]})
    return found


def _cut(column: str) -> Column:
    text = F.col(f"`{column}`").cast("string")
    if column == FILE:
        return F.element_at(F.split(text, "/"), -1)
    return F.when(F.length(text) > LONGEST, F.concat(F.substring(text, 1, LONGEST - 1), F.lit("…"))).otherwise(text)


def columns_of(rule: str, source: Source, raw: Sequence[str]) -> list[str]:
    """The raw columns that a rule is about, expressions of silver's columns followed back to what they read."""
    if rule in source.expect:
        named = sorted(sql.columns_of(source.expect[rule].rule))
    elif rule == "record_parses":
        return [CORRUPT]
    else:
        # The rules that hold without saying are called by their column: amount_is_double, id_is_present.
        about = [column for column in (*source.columns, *raw) if rule.startswith(f"{column}_is_")]
        named = [max(about, key=len)] if about else []
    present = {column.lower(): column for column in raw}
    written = {column.lower(): text for column, text in source.columns.items()}
    found: dict[str, None] = {}

    def follow(name: str, behind: tuple[str, ...]) -> None:
        expression = written.get(name)
        if expression is None or BARE_TYPE.match(expression) or name in behind:
            if name in present:
                found[present[name]] = None
            return
        for column in sorted(sql.columns_of(expression)):
            follow(column, (*behind, name))

    for name in named:
        follow(name.lower(), ())
    return list(found)


def replayed(run: Run, name: str, dry_run: bool) -> Replay:
    """Judges a source's quarantined rows by the present configuration, and but for ``dry_run`` makes quarantine and
    silver anew where they were made by another one. LakeloopError where there is no quarantine yet."""
    table = Table("quarantine", name)
    known = run.lakehouse.last_progress(table)
    if known is None:
        raise LakeloopError(f"{table} is not there yet: run the stages 'bronze' and 'silver' first.")
    source = run.settings.pipeline.sources[name]
    held = run.lakehouse.read(table, known[0].version)
    counts = judge_again(held, source)
    if dry_run:
        return Replay(name, counts, False, None)
    outcomes = list(run.silver_of(name))
    changed = any(outcome.action != "unchanged" for outcome in outcomes)
    return Replay(name, counts, changed, run.lakehouse.read(table).count())


def plain(found: Quarantine) -> dict[str, object]:
    """A source's quarantine as plain data."""
    return {**vars(found), "reasons": [vars(reason) for reason in found.reasons]}


def judge_again(quarantined: DataFrame, source: Source) -> list[Judgement]:
    """What the rules of ``source`` make of rows that were quarantined: all of them first, then by the rule that they
    broke; one action."""
    before = "lakeloop_broke"
    bronze = quarantined.drop(FAILED)
    rules = silver.expectations(bronze, source)
    # Judging gives its own columns alone, so what a row broke before travels as one of bronze's.
    rows = silver.judged(quarantined.withColumnRenamed(FAILED, before), source)
    old = F.col(f"`{silver.RAW}{before}`")
    rows = rows.withColumn("_rule", F.explode(F.concat(F.array(F.lit("")), old)))
    counts = rows.groupBy("_rule").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(rules.kept()).alias("passing"),
        F.count_if(rules.dropped()).alias("dropped"),
    )
    found = [Judgement(row["_rule"], row["rows"], row["passing"], row["dropped"]) for row in counts.collect()]
    return sorted(found, key=lambda item: (item.rule != "", -item.rows, item.rule)) or [Judgement("", 0, 0, 0)]


def show(console: Console, found: Sequence[Quarantine]) -> None:
    """A line a rule, and below it the examples."""
    for item in found:
        console.print(f"[bold]quarantine.{item.source}[/]  {counted(item.rows, 'row')}")
        if not item.rows:
            continue
        grid = Grid(box=None, pad_edge=False, header_style="bold")
        grid.add_column("  rule", no_wrap=True)
        for title in ("rows", "first (UTC)", "last (UTC)"):
            grid.add_column(title, justify="right", no_wrap=True)
        grid.add_column("condition")
        for reason in item.reasons:
            times = [f"{at:%Y-%m-%d %H:%M}" for at in (reason.first, reason.last)]
            grid.add_row(f"  {escape(reason.rule)}", f"{reason.rows:,}", *times, escape(reason.condition))
        console.print(grid)
        for reason in item.reasons:
            if reason.examples:
                console.print(f"\n  [bold]{escape(reason.rule)}[/]")
                console.print(_examples(reason.examples))
        console.print()


def _examples(rows: Sequence[Mapping[str, str | None]]) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(rows[0]):
        grid.add_column(f"{'    ' if not number else ''}{escape(column)}", no_wrap=True)
    for row in rows:
        values = ["[dim]null[/]" if value is None else escape(value) for value in row.values()]
        grid.add_row(f"    {values[0]}", *values[1:])
    return grid


def show_replay(console: Console, found: Replay) -> None:
    """What becomes of the quarantined rows, by the rule that they broke."""
    whole, *by_rule = found.counts
    console.print(
        f"[bold]quarantine.{found.source}[/]  {counted(whole.rows, 'row')}: {whole.passing:,} pass now, "
        f"{whole.staying:,} stay" + (f", {whole.dropped:,} are dropped" if whole.dropped else "")
    )
    if by_rule:
        grid = Grid(box=None, pad_edge=False, header_style="bold")
        grid.add_column("  rule", no_wrap=True)
        for title in ("rows", "pass now", "stay", "dropped"):
            grid.add_column(title, justify="right", no_wrap=True)
        for item in by_rule:
            numbers = (item.rows, item.passing, item.staying, item.dropped)
            grid.add_row(f"  {escape(item.rule)}", *[f"{number:,}" for number in numbers])
        console.print(grid)
    if found.after is None:
        return
    if not found.changed:
        console.print("  Nothing was written: the tables were made by this very configuration.")
        return
    others = found.after - whole.staying
    more = f", {others:,} of them kept out by the new rules or from new files" if others > 0 else ""
    console.print(f"  silver.{found.source} was made anew; quarantine holds {counted(found.after, 'row')} now{more}.")
