"""What a piece of Spark SQL from the configuration says about itself: the tables it reads, the aggregate it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

LAYERS = ("bronze", "silver", "quarantine", "gold", "features", "predictions", "monitoring", "governance")

AGGREGATES = {
    "avg": "avg",
    "mean": "avg",
    "sum": "sum",
    "count": "count",
    "min": "min",
    "max": "max",
    "stddev": "stddev",
    "stddev_samp": "stddev",
}

_CALL = re.compile(r"^\s*([a-z_]+)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Reference:
    """A table that a query reads, and where its name stands in the text (``start`` to ``end``, exclusive)."""

    layer: str
    name: str
    start: int
    end: int

    @property
    def table(self) -> str:
        return f"{self.layer}.{self.name}"


def references(query: str) -> list[Reference]:
    """The Lakeloop tables that ``query`` reads, in the order of the text; ValueError if it does not parse."""
    try:
        tree = sqlglot.parse_one(query, read="spark")
    except SqlglotError as error:
        raise ValueError(unread(error)) from error
    found = []
    for table in tree.find_all(exp.Table):
        layer = table.args.get("db")
        if layer is not None and layer.name in LAYERS and not table.args.get("catalog"):
            found.append(Reference(layer.name, table.name, layer.meta["start"], table.this.meta["end"] + 1))
    return sorted(found, key=lambda reference: reference.start)


def unread(error: SqlglotError) -> str:
    """Where a piece of SQL cannot be read, and why, in our words: the parser speaks of its own classes."""
    details = getattr(error, "errors", None)
    if not details:
        return "a quote or a comment is not closed"
    said, text = details[0]["description"], details[0]["highlight"]
    why = "is not expected here"
    if said.startswith("Required keyword"):
        why = "lacks something beside it"
    elif said.startswith("Expecting "):
        why = f"is not followed by {said.removeprefix('Expecting ')}"
    return f"line {details[0]['line']}, column {details[0]['col'] - len(text) + 1}: '{text}' {why}"


def first_word_unread(error: SqlglotError) -> str:
    """The word that an expression begins with, where it is for SQL's grammar and cannot stand there."""
    details = getattr(error, "errors", None) or [{}]
    word = str(details[0].get("highlight", ""))
    return word if word.isidentifier() and not str(details[0].get("start_context", "")).strip() else ""


def template(query: str) -> str:
    """``query`` for ``str.format``: each ``layer.table`` is a field, named as `field` says; the rest of the text stays
    as it is."""
    parts, at = [], 0
    for reference in references(query):
        parts += [_braces_kept(query[at : reference.start]), "{", field(reference.table), "}"]
        at = reference.end
    return "".join([*parts, _braces_kept(query[at:])])


def field(table: str) -> str:
    """What `template` calls a table: ``silver__orders`` for silver.orders."""
    return table.replace(".", "__")


def _braces_kept(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def columns_of(expression: str) -> set[str]:
    """The column names that an expression mentions (lower case)."""
    tree = sqlglot.parse_one(expression, read="spark")
    return {column.name.lower() for column in tree.find_all(exp.Column)}


@dataclass(frozen=True)
class Measure:
    """An aggregate that can be kept as partial results: ``avg(arr_delay > 15)`` is avg over ``arr_delay > 15``."""

    function: str
    expression: str


def measure(text: str) -> Measure:
    """Reads one aggregate call; ValueError lists what is allowed."""
    match = _CALL.match(text)
    function = AGGREGATES.get(match.group(1).lower()) if match else None
    try:
        # Spark knows `mean` as another name of `avg`; the parser does not.
        tree = sqlglot.parse_one(f"{function}({match.group(2)})" if match and function else text, read="spark")
    except SqlglotError:
        tree = None
    if (
        match is None
        or function is None
        or not isinstance(tree, exp.AggFunc)
        or len(list(tree.find_all(exp.AggFunc))) != 1
    ):
        raise ValueError(f"one aggregate of {', '.join(AGGREGATES)} over an expression, such as 'avg(arr_delay > 15)'")
    inner = match.group(2).strip()
    if re.match(r"distinct\b", inner, re.IGNORECASE):
        raise ValueError("an aggregate without DISTINCT: distinct counts cannot be kept as partial results")
    return Measure(function, "1" if inner == "*" else inner)
