"""The text of a first pipeline.yml, with a comment at each thing that was not sure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from lakeloop.config import intervals
from lakeloop.config.monitoring import Monitoring
from lakeloop.onboarding.columns import Column
from lakeloop.onboarding.files import Files
from lakeloop.onboarding.identity import Identity, Span
from lakeloop.onboarding.names import free, quoted
from lakeloop.onboarding.outcome import Outcome

_WIDTH = 44
_DAY = 86_400
# What silver identifies a row by where there is no key: its content, and its number among equal rows.
ROW_KEY = ("_row_hash", "_row_number")


@dataclass(frozen=True)
class Draft:
    """Everything that a first configuration says; ``exclude`` has the reason beside each column, ``notes`` what is
    said of the whole, ``time`` is what ``span`` splits by, ``step`` how many seconds regular times are apart,
    ``entity`` the columns of the key that tell several series of such times apart, ``group`` an id that comes in
    several rows."""

    name: str
    source: str
    files: Files
    columns: Sequence[Column]
    missing: Sequence[str]
    identity: Identity
    time: Column | None
    span: Span | None
    outcome: Outcome
    guessed: bool
    exclude: Sequence[tuple[str, str]]
    notes: Sequence[str] = ()
    step: int | None = None
    entity: tuple[str, ...] = ()
    group: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return self.identity.key

    @property
    def spine(self) -> str:
        return f"{'gold' if self.span else 'silver'}.{self.source}"

    @property
    def day(self) -> str:
        """The silver column by which gold is made in slices: the time where it is a date, else one made of it."""
        assert self.time is not None
        if self.time.type == "date":
            return self.time.name
        return free(f"{self.time.name}_date", {column.name.lower() for column in self.columns})

    def told(self) -> str:
        """What was found, in a line."""
        files = "1 file" if self.files.size == 1 else f"{self.files.size:,} files"
        key = f"key {', '.join(self.key)}" if self.key else "no key"
        label = f"{self.outcome.task} of {self.outcome.column.name}"
        split = f"split by {self.span.column}" if self.span else "split at random"
        return f"{files}, {self.identity.rows:,} rows, {len(self.columns)} columns; {key}; {label}; {split}"

    def doubts(self) -> list[tuple[str, str]]:
        """What was not sure, each with its dotted path."""
        where = f"sources.{self.source}"
        found = [(where, note) for note in (*self.files.notes, *self.notes)]
        if not self.key:
            found.append((f"{where}.key", no_key(self.identity)))
        for column in self.columns:
            found += [(f"{where}.columns.{column.name}", note) for note in column.notes]
        if self.guessed:
            found.append(("model.label", f"a guess: say --label COLUMN if it is not {self.outcome.column.leaf.raw}"))
        found += [("model.label", note) for note in self.outcome.notes]
        found += [("model.exclude", reason) for reason in self.excluded()]
        found += [("model.split", note) for note in self.together()]
        return found

    def together(self) -> list[str]:
        """What is to be thought of where rows are held out by random."""
        if self.group is None or self.span:
            return []
        return [f"rows of one {self.group} come on both sides; by: group with group: {self.group} keeps them together"]

    def excluded(self) -> list[str]:
        """Why columns are left out, a text a reason."""
        why: dict[str, list[str]] = {}
        for name, reason in self.exclude:
            why.setdefault(reason, []).append(name)
        return [f"{', '.join(names)}: {reason}" for reason, names in why.items()]


def text(draft: Draft) -> str:
    """The YAML; a line a column."""
    lines = [
        f"pipeline: {draft.name}",
        "sources:",
        f"  {draft.source}:",
        *(f"    # {note}" for note in (*draft.files.notes, *draft.notes)),
        f"    path: {scalar(draft.files.path)}",
    ]
    if draft.files.format != "csv":
        lines.append(f"    format: {draft.files.format}")
    if draft.files.options:
        options = ", ".join(f"{name}: {scalar(value, inside=True)}" for name, value in draft.files.options.items())
        lines.append(f"    options: {{{options}}}")
    if draft.missing:
        lines.append(f"    missing: {listed(draft.missing)}")
    if draft.key:
        lines.append(f"    key: {listed(draft.key)}")
    else:
        lines.append(f"    # {no_key(draft.identity)}")
    lines.append("    columns:")
    for column in draft.columns:
        lines.append(commented(f"      {scalar(column.name)}: {scalar(column.text)}", column.notes))
    if draft.time and draft.day != draft.time.name:
        lines.append(f"      {scalar(draft.day)}: {scalar(f'to_date({expression(draft.time.name)})')}")
    if draft.span:
        lines += [
            "gold:",
            f"  {draft.source}:",
            f"    sql: select * from silver.{draft.source}",
            f"    key: {listed(draft.key or ROW_KEY)}",
            f"    time: {draft.span.column}",
            f"    increment_by: {draft.day}",
        ]
        if draft.outcome.task == "forecast":
            lines += _past(draft)
    return "\n".join([*lines, *_model(draft)]) + "\n"


def _ahead(draft: Draft) -> tuple[str, str, str]:
    """The step of a forecast, its horizon, which is a season too, and how far it looks back: a day ahead where there
    are several rows a day, a week where there is one, four weeks where there are fewer."""
    step = draft.step or 0
    if step < _DAY:
        return intervals.words(step), "1 day", "7 days"
    return ("1 day", "7 days", "28 days") if step < 7 * _DAY else ("7 days", "28 days", "364 days")


def _past(draft: Draft) -> list[str]:
    """A feature group of the label's own past."""
    name = draft.outcome.column.name
    step, season, long = _ahead(draft)
    return [
        "features:",
        "  past:",
        *([f"    entity: {listed(draft.entity)}"] if draft.entity else []),
        f"    from: {draft.spine}",
        f"    time: {draft.span.column if draft.span else ''}",
        f"    resolution: {step}",
        f"    lags: [{season}]",
        f"    windows: [{season}, {long}]",
        f"    measures: {{mean: avg({expression(name)})}}",
    ]


def _model(draft: Draft) -> list[str]:
    guess = ["a guess; --label COLUMN names another"] if draft.guessed else []
    lines = [
        "model:",
        f"  task: {draft.outcome.task}",
        f"  spine: {draft.spine}",
        commented(f"  label: {scalar(expression(draft.outcome.column.name))}", [*guess, *draft.outcome.notes]),
    ]
    if draft.outcome.task == "forecast":
        _, season, _ = _ahead(draft)
        lines += [f"  entity: {listed(draft.entity)}"] if draft.entity else []
        lines += [f"  horizon: {season}", f"  season: {season}"]
    elif draft.entity:
        lines.append(f"  include: {listed(draft.entity)}")
    if draft.outcome.positive is not None:
        lines.append(f"  positive: {scalar(draft.outcome.positive)}")
    if draft.exclude:
        lines.append(commented(f"  exclude: {listed([name for name, _ in draft.exclude])}", draft.excluded()))
    if draft.span:
        lines.append(f"  split: {{by: time, validation: {draft.span.validation}, test: {draft.span.test}}}")
        if draft.span.window != Monitoring().window:
            lines.append(f"monitoring: {{window: {draft.span.window}}}")
    else:
        lines.append(commented("  split: {by: random, validation: 0.2, test: 0.2}", draft.together()))
    return lines


def no_key(identity: Identity) -> str:
    """Why there is no key, and what that means."""
    near = f"; {identity.near} repeats in {identity.repeats:,} of {identity.rows:,} rows" if identity.near else ""
    return f"no key: no column identifies a row{near}. Without one a row is what its content is"


def commented(line: str, notes: Sequence[str]) -> str:
    """A line with what was not sure of it behind it."""
    if not notes:
        return line
    return f"{line:<{_WIDTH}}  # {one_line('; '.join(notes))}"


def one_line(text: str) -> str:
    """A text that a comment can hold, whatever values it quotes."""
    return re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]+", " ", text)


def listed(names: Sequence[str]) -> str:
    """One name, or a list of them."""
    return scalar(names[0]) if len(names) == 1 else f"[{', '.join(scalar(name, inside=True) for name in names)}]"


def scalar(value: object, inside: bool = False) -> str:
    """A value as YAML writes it on one line, quoted only where YAML would read another; ``inside`` brackets more is."""
    if isinstance(value, bool):
        return str(value).lower()
    given = str(value)
    risky = re.search(r"[^\x20-\x7e]" + (r"|[\[\]{},:#]" if inside else ""), given)
    try:
        same = not risky and yaml.safe_load(f"k: {given}") == {"k": given}
    except (yaml.YAMLError, ValueError):
        same = False
    return given if same else json.dumps(given, ensure_ascii=False)


def expression(name: str) -> str:
    """A column as an expression: in backticks where its name alone is a word of SQL."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        plain = isinstance(sqlglot.parse_one(name, read="spark"), exp.Column)
    except SqlglotError:
        plain = False
    return name if plain else quoted(name)
