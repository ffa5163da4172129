"""What identifies a row and when it was: the key, tested over all rows, the time, and the split that follows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.config.monitoring import Monitoring
from lakeloop.onboarding.columns import Column
from lakeloop.onboarding.names import quoted, snake

MOST_SINGLE, MOST_PAIRS = 5, 6
# Of fewer ids than this all are known to a model: they are no customers whom it has yet to meet.
MANY_IDS = 50
# A time with fewer different values than this is no axis to split along.
FEWEST_TIMES = 10
# Lengths that regular times may be apart, in seconds, the longest first, and the share of the times that must be there.
STEPS = (604_800, 86_400, 43_200, 21_600, 10_800, 3600, 1800, 900, 600, 300, 60)
MOST_OF_A_GRID = 0.9
_ID = re.compile(r"(^|_)(id|key|uuid|guid|no|nr|num|number|code|index|idx)(_|$)|^pk$")
_NOT_NOW = re.compile(r"birth|dob|expir|due|until|valid|deadline|planned|scheduled_end|next")
_NOW = re.compile(
    r"^(event_?)?(time|timestamp|ts|date|dt|day|datetime)$|_(at|time|ts|timestamp)$|^(created|ordered|event)"
)


@dataclass(frozen=True)
class Identity:
    """The key's columns (none: nothing was found that identifies a row), in how many rows the nearest candidate
    repeats, and the rows in all."""

    key: tuple[str, ...]
    rows: int
    near: str = ""
    repeats: int = 0


@dataclass(frozen=True)
class Span:
    """A split by time: the column, the lengths of the validation and the test part, and the shortest window for
    monitoring in which there are enough rows to compare."""

    column: str
    validation: str
    test: str
    window: str = "1 day"


def looks_like_id(column: Column) -> bool:
    """Whether its name says that it identifies something."""
    return bool(_ID.search(snake(column.name)))


def candidates(
    columns: Sequence[Column], label: str | None, time: str | None, outcome: str | None = None
) -> list[tuple[str, ...]]:
    """Columns that may identify a row, the likeliest first: names of ids; then words that are never repeated, and such
    whole numbers where they stand first, for others may be different by chance; then an id, or what has rows at nearly
    all times, and the time, and two ids. The ``label`` is none of them; an ``outcome`` that is different in each row is
    one, so that this can be told.
    """
    whole = [
        column
        for column in columns
        if column.name != label and column.known == column.seen.rows > 0 and column.type in ("int", "bigint", "string")
    ]
    named = [column for column in whole if looks_like_id(column)]
    others = [column for column in whole if column not in named and column.name != outcome]
    panel = [column for column in others if time and is_entity(column, columns, time)]
    single = [column for column in named if column.distinct >= 0.9 * column.seen.rows]
    plain = [
        column
        for column in whole
        if column not in named
        and column.distinct == column.seen.rows
        and (column is columns[0] or (column.type == "string" and not column.seen.passed.get("spaces")))
    ]
    alone: list[tuple[str, ...]] = [(column.name,) for column in [*single, *plain]]
    pairs: list[tuple[str, ...]] = [(column.name, time) for column in [*named, *panel] if time]
    pairs += [(one.name, other.name) for one, other in combinations(named, 2)]
    return alone[:MOST_SINGLE] + pairs[:MOST_PAIRS]


def is_entity(column: Column, columns: Sequence[Column], time: str) -> bool:
    """Whether nearly each of the column's values has a row at nearly each time, as stores or sensors have."""
    times = next((other.distinct for other in columns if other.name == time), 0)
    return column.distinct > 1 < times and column.distinct * times <= column.seen.rows / MOST_OF_A_GRID


def repeated(columns: Sequence[Column], apart: set[str]) -> str | None:
    """The id, not ``apart``, of which there are many and each comes in several rows, as customers do."""
    ids = [
        column
        for column in columns
        if column.name not in apart
        and looks_like_id(column)
        and MANY_IDS <= column.distinct <= column.known / 2
        and (column.is_whole or column.type == "string")
    ]
    return max(ids, key=lambda column: column.distinct).name if ids else None


def identify(rows: DataFrame, tried: Sequence[tuple[str, ...]]) -> Identity:
    """The first of the candidates that has no repeated and no incomplete value in all rows; one action."""
    counts = [
        F.count_distinct(*[F.col(quoted(name)) for name in names]).alias(f"distinct_{at}")
        for at, names in enumerate(tried)
    ]
    found = rows.agg(F.count(F.lit(1)).alias("rows"), *counts).collect()[0]
    for at, names in enumerate(tried):
        if found[f"distinct_{at}"] == found["rows"]:
            return Identity(names, found["rows"])
    if not tried:
        return Identity((), found["rows"])
    at = max(range(len(tried)), key=lambda at: found[f"distinct_{at}"])
    return Identity((), found["rows"], " and ".join(tried[at]), found["rows"] - found[f"distinct_{at}"])


def time_column(columns: Sequence[Column], label: str | None) -> Column | None:
    """The column that says when a row was, where there is one that is complete and varies."""
    times = [
        column
        for column in columns
        if column.is_time
        and column.name != label
        and column.known == column.seen.rows
        and column.distinct >= FEWEST_TIMES
        and not _NOT_NOW.search(snake(column.name))
    ]
    return min(
        times, key=lambda column: (not _NOW.search(snake(column.name)), column.type != "timestamp"), default=None
    )


def step(rows: DataFrame, column: str, entity: Sequence[str] = ()) -> int | None:
    """How many seconds the times of ``rows``, or of each entity's, are apart, where each comes once and nearly all of a
    regular grid are there; else None. One action."""
    at = F.col(quoted(column)).cast("timestamp").cast("double")
    ends = [F.min(at).alias("oldest"), F.max(at).alias("newest"), F.count(F.lit(1)).alias("rows")]
    off = [
        (F.max(F.pmod(at, F.lit(float(length)))) - F.min(F.pmod(at, F.lit(float(length))))).alias(f"off_{length}")
        for length in STEPS
    ]
    series = rows.groupBy(*[F.col(quoted(name)) for name in entity])
    each = series.agg(*ends, F.count_distinct(at).alias("distinct"), *off)
    sums = [F.sum(name).alias(name) for name in ("rows", "distinct")]
    spans = F.sum(F.col("newest") - F.col("oldest")).alias("spans")
    most = [F.max(f"off_{length}").alias(f"off_{length}") for length in STEPS]
    found = each.agg(*sums, spans, F.count(F.lit(1)).alias("series"), *most).collect()[0]
    if found["distinct"] != found["rows"] or found["rows"] < FEWEST_TIMES * found["series"]:
        return None
    for length in STEPS:
        if found[f"off_{length}"] == 0:
            grid = found["spans"] / length + found["series"]
            return length if found["rows"] >= MOST_OF_A_GRID * grid else None
    return None


def span(rows: DataFrame, column: str) -> Span | None:
    """A split that leaves about a fifth of the rows, the newest, to the test, and a fifth of the others to validation;
    None where the times are too close for that."""
    at = F.col(quoted(column)).cast("timestamp").cast("double")
    shares = F.percentile_approx(at, F.array(F.lit(0.64), F.lit(0.8)), F.lit(10_000))
    ends = F.min(at).alias("oldest"), F.max(at).alias("newest"), F.count(at).alias("rows")
    found = rows.agg(shares.alias("cuts"), *ends).collect()[0]
    if found["cuts"] is None:
        return None
    validation, test = found["cuts"]
    if not found["oldest"] < validation < test < found["newest"]:
        return None
    daily = found["rows"] * 86_400 / (found["newest"] - found["oldest"])
    return Span(column, length(test - validation), length(found["newest"] - test), window(daily))


def window(daily: float) -> str:
    """The shortest window that has enough rows, of as many a day, for its drift to be known."""
    enough = Monitoring().minimum_rows
    for name, days in (("1 day", 1), ("1 week", 7)):
        if daily * days >= enough:
            return name
    return "1 month"


def length(seconds: float) -> str:
    """A length in the largest unit of which it has three or more, rounded up."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 3 * unit:
            return f"{math.ceil(seconds / unit)} {name}s"
    return f"{max(1, math.ceil(seconds))} seconds"
