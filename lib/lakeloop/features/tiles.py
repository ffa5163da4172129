"""Tiles: the events of a feature group, pre-aggregated per entity and step of time, by when they became known."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.config import Settings, intervals, sql
from lakeloop.config.features import FeatureGroup
from lakeloop.derivation import BySlice, Derivation
from lakeloop.slices import Near
from lakeloop.tables import Table

KNOWN_AT, KNOWN_DATE = "known_at", "known_date"

# The last day that Python has, in seconds since 1970: what becomes known from then on is never known.
_NEVER = 253_402_214_400

# Which partial results an aggregate needs, so that tiles can be added up.
PARTIALS = {
    "avg": ("sum", "count"),
    "sum": ("sum", "count"),
    "count": ("count",),
    "min": ("min",),
    "max": ("max",),
    "stddev": ("sum", "count", "squares"),
}


def derivation(settings: Settings, name: str) -> Derivation:
    """features.<group>: the entity's columns, `known_at` timestamp (the end of the tile: from then on its values may
    be used), `known_date` date, and for each measure its partial results (`<measure>__sum` double, `__count`
    bigint, `__min`, `__max`, `__squares` double)."""
    group = settings.pipeline.features[name]
    events = Table.parse(group.from_)
    return Derivation(
        Table("features", name),
        (events,),
        lambda rows: tiles(rows[events], group),
        BySlice(KNOWN_DATE, {events: known_on(group)}, frozenset({events}), present=True),
        settings.fingerprint(group),
    )


def known_on(group: FeatureGroup) -> Near:
    """The day on which an event becomes known, which is that of its time or some days later."""
    latest = intervals.seconds(group.known_after) + intervals.seconds(group.resolution)
    # One day more, for some days have 23 hours.
    return Near(f"to_date({known_at(group)})", f"cast({group.time} as timestamp)", before=latest // 86_400 + 2)


def known_at(group: FeatureGroup) -> str:
    """SQL for the end of the tile in which an event becomes known: `time + known_after`, rounded up. Null without a
    time, and from the year 10000 on."""
    step = intervals.seconds(group.resolution)
    micros = f"unix_micros(cast({group.time} as timestamp)) + {intervals.seconds(group.known_after)}000000L"
    end = f"cast(ceil(({micros}) / {step}000000L) as bigint) * {step}L"
    return f"timestamp_seconds(nullif(least({end}, {_NEVER}L), {_NEVER}L))"


def tiles(events: DataFrame, group: FeatureGroup) -> DataFrame:
    """One row an entity and tile, see `derivation`. Events without entity or time have no tile."""
    rows = events.filter(group.where) if group.where else events
    rows = rows.withColumn(KNOWN_AT, F.expr(known_at(group)))
    rows = rows.filter(" AND ".join(f"`{column}` IS NOT NULL" for column in (*group.entity, KNOWN_AT)))
    aggregates: dict[str, str] = {}
    for name, text in group.measures.items():
        measure = sql.measure(text)
        value = measure.expression if measure.function == "count" else _finite(measure.expression)
        aggregates |= {f"`{name}__{kind}`": _partial(kind, value) for kind in PARTIALS[measure.function]}
    entity = [f"`{column}`" for column in group.entity]
    rows = rows.groupBy(*entity, KNOWN_AT).agg(*[F.expr(f"{text} AS {name}") for name, text in aggregates.items()])
    return rows.selectExpr(*entity, KNOWN_AT, f"to_date({KNOWN_AT}) AS {KNOWN_DATE}", *aggregates)


def _finite(expression: str) -> str:
    """As double, NaN and infinities as null: one of them would stay in every sum that follows."""
    value = f"cast({expression} as double)"
    return f"CASE WHEN NOT isnan({value}) AND abs({value}) <> double('Infinity') THEN {value} END"


def _partial(kind: str, value: str) -> str:
    return f"sum(({value}) * ({value}))" if kind == "squares" else f"{kind}({value})"
