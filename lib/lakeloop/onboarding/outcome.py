"""What is to be predicted: the label, the task that it makes, and the value that is the positive one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lakeloop.config.loading import nearest
from lakeloop.errors import DataError
from lakeloop.onboarding.columns import Column
from lakeloop.onboarding.names import snake

USUAL = ("label", "target", "class", "y", "outcome", "churn", "churned", "response", "default", "fraud", "is_fraud",
         "survived", "diagnosis", "result", "income", "price", "sale_price", "cnt")  # fmt: skip
POSITIVE = ("yes", "y", "true", "t", "positive", "pos", "bad", "fraud", "churn", "churned", "malignant")
_PLACE = re.compile(r"_c\d+")
MOST_CLASSES, MOST_WHOLE_CLASSES, ROWS_A_CLASS = 100, 10, 20


@dataclass(frozen=True)
class Outcome:
    """The label's column, the task, the positive value of a binary text, and what was not sure."""

    column: Column
    task: str
    positive: str | None = None
    notes: tuple[str, ...] = ()


def named(columns: Sequence[Column], wanted: str) -> Column:
    """The column of that raw or silver name; DataError with the nearest one where there is none."""
    for same in (lambda text: text, str.lower):
        for column in columns:
            if same(wanted) in (same(column.name), same(column.leaf.raw)):
                return column
    names = [column.leaf.raw for column in columns]
    near = nearest(wanted, names)
    shown = ", ".join(names[:40]) + (f" … ({len(names)} in all)" if len(names) > 40 else "")
    unnamed = " (the files have no header, so these are places)" if all(map(_PLACE.fullmatch, names)) else ""
    raise DataError(f"--label {wanted}: no such column{f'; {near}' if near else '.'} There are {shown}{unnamed}.")


def guessed(columns: Sequence[Column]) -> Column:
    """The column that is most likely to be predicted: one of a usual name, else the last that may be one."""
    fit = [column for column in columns if not column.is_time and column.distinct > 1]
    fit = [column for column in fit if column.type != "string" or column.distinct <= MOST_CLASSES]
    if not fit:
        raise DataError("No column of the files can be predicted: each is constant, a time or free text. Name one with "
                        "--label if you know better.")  # fmt: skip
    for name in USUAL:
        for column in fit:
            if snake(column.name) == name:
                return column
    return fit[-1]


def refuse(column: Column) -> None:
    """DataError where a label of such values can teach nothing."""
    name = column.leaf.raw
    if not column.known:
        raise DataError(f"--label {name}: the column has no value in any row that was looked at, so there is nothing "
                        "to learn from.")  # fmt: skip
    if column.distinct < 2:
        raise DataError(f"--label {name}: the column has the same value in all rows, so there is nothing to predict.")
    if column.is_time:
        raise DataError(f"--label {name}: a {column.type} cannot be predicted; a length of time as a number can.")
    if column.type == "string" and column.distinct > MOST_CLASSES:
        alike = ", as a key has" if column.distinct == column.known else ""
        raise DataError(
            f"--label {name}: the column has {column.distinct:,} different texts in {column.known:,} rows{alike}; a "
            f"class is one of at most {MOST_CLASSES}."
        )


def outcome(column: Column, values: Mapping[str, int]) -> Outcome:
    """The task for a label with these values (its commonest, as text, with their number of rows)."""
    missing = column.seen.rows - column.known
    notes = [f"{missing:,} of {column.seen.rows:,} rows have no label: they are predicted, not learnt from"] * (
        missing > 0
    )
    rare = min(values.values(), default=0)
    if column.type == "boolean":
        return Outcome(column, "binary", None, tuple(notes))
    if column.distinct == 2:
        if column.is_number and {float(value) for value in values} == {0.0, 1.0}:
            return Outcome(column, "binary", None, tuple(notes))
        positive, sure = _positive(values)
        if not sure:
            notes.append(f"the rarer value, with {rare:,} rows, is taken as the positive one")
        return Outcome(column, "binary", positive, tuple(notes))
    few = column.is_whole and column.distinct <= MOST_WHOLE_CLASSES
    if column.type == "string" or (few and column.known >= ROWS_A_CLASS * column.distinct):
        if few:
            notes.append(f"{column.distinct} whole numbers, taken as classes; or make it regression")
        else:
            notes += _alike(values)
        if rare < ROWS_A_CLASS and values:
            notes.append(f"the rarest class has {rare:,} rows")
        return Outcome(column, "multiclass", None, tuple(notes))
    return Outcome(column, "regression", None, tuple(notes))


def ahead(made: Outcome) -> Outcome:
    """The outcome as a forecast: of a number that nothing tells but its own past."""
    return replace(made, task="forecast", notes=(*made.notes, "no other column tells it: a forecast from its past"))


def _positive(values: Mapping[str, int]) -> tuple[str, bool]:
    """Which of two values is the positive one, and whether its own meaning says so."""
    meant = [value for value in values if value.strip().lower() in POSITIVE]
    if any(value in ("0", "0.0", "-1", "-1.0") for value in values):
        meant = [value for value in values if value in ("1", "1.0")] or meant
    if len(meant) == 1:
        return meant[0], True
    return min(values, key=lambda value: (values[value], value)), False


def mended(column: Column, values: Mapping[str, int]) -> Column:
    """The column with an expression that takes off a last dot, where that makes classes of two spellings one."""
    joined = merged(values)
    if column.type != "string" or len(joined) in (0, 1, len(values)):
        return column
    note = "some classes came with a dot at their end and without: it is taken off"
    its = replace(column.seen, distinct=column.seen.distinct - len(values) + len(joined))
    return replace(column, text=f"trim(TRAILING '.' FROM {column.leaf.written})", seen=its, notes=(*column.notes, note))


def merged(values: Mapping[str, int]) -> dict[str, int]:
    """The values without a dot at their end, with the rows of both spellings."""
    found: dict[str, int] = {}
    for value, count in values.items():
        found[value.rstrip(".")] = found.get(value.rstrip("."), 0) + count
    return found


def _alike(values: Mapping[str, int]) -> list[str]:
    """A note where classes differ by their case alone."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(value.lower(), []).append(value)
    same = [" and ".join(f"'{value}'" for value in sorted(group)) for group in groups.values() if len(group) > 1]
    return [f"{same[0]} look like one class: mend the column's expression"] if same else []
