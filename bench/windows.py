"""Features as range windows over the events, in SQL that Spark and DuckDB both run: what a team writes by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.flights import DEPARTURE

WINDOWS = {"2h": 7200, "6h": 21_600, "7d": 604_800}


@dataclass(frozen=True)
class Group:
    """A feature group of conf/flights: ``event`` is the time of its events, ``measures`` are aggregates of them."""

    entity: str
    event: str
    measures: Mapping[str, str]


DEPARTED = {"mean_delay": "avg(dep_delay)", "late_share": "avg(cast(dep_delay > 15 AS double))"}
ARRIVED = {"mean_delay": "avg(arr_delay)", "late_share": "avg(cast(arr_delay > 15 AS double))"}
GROUPS = {
    "origin_departures": Group("origin", "departed_at", {**DEPARTED, "flights": "count(event)"}),
    "plane_departures": Group("tailnum", "departed_at", {**DEPARTED, "flights": "count(event)"}),
    "dest_arrivals": Group("dest", "arrived_at", ARRIVED),
    "carrier_arrivals": Group("carrier", "arrived_at", ARRIVED),
}


def query(departures: str, movements: str, seconds: str) -> str:
    """A query for the departures with the features of all groups; ``seconds`` makes whole seconds of the time ``{}``.

    For each group departures and events are sorted together by entity and time, and a window that ends at a departure
    holds the events that it may know. Only what this needs of a departure goes through the windows; the rest is joined.
    """
    needed = list(dict.fromkeys([*DEPARTURE, *[group.entity for group in GROUPS.values()]]))
    steps = [f"step_0 AS (SELECT {_list(needed)}, {seconds.format('prediction_time')} AS moment FROM {departures})"]
    features: list[str] = []
    for number, (name, group) in enumerate(GROUPS.items()):
        there = [*needed, *features]
        added = {
            f"{name}_{measure}_{window}": f"{aggregate} OVER (PARTITION BY {group.entity} ORDER BY moment "
            f"RANGE BETWEEN {length - 1} PRECEDING AND CURRENT ROW)"
            for window, length in WINDOWS.items()
            for measure, aggregate in group.measures.items()
        }
        nothing = [column if column == group.entity else f"NULL AS {column}" for column in there]
        steps += [
            f"both_{number} AS (SELECT {_list(there)}, moment, NULL AS event, NULL AS dep_delay, NULL AS arr_delay "
            f"FROM step_{number} UNION ALL SELECT {_list(nothing)}, {seconds.format(group.event)} AS moment, "
            f"{group.event} AS event, dep_delay, arr_delay FROM {movements} "
            f"WHERE {group.event} IS NOT NULL AND {group.entity} IS NOT NULL)",
            f"step_{number + 1} AS (SELECT {_list([*there, *added])}, moment FROM (SELECT *, "
            f"{_list([f'{window} AS {column}' for column, window in added.items()])} FROM both_{number}) "
            "WHERE event IS NULL)",
        ]
        features += added
    return (
        f"WITH {_list(steps)} SELECT d.*, {_list(features)} FROM {departures} d "
        f"JOIN step_{len(GROUPS)} USING ({_list(DEPARTURE)})"
    )


def _list(parts: Sequence[str]) -> str:
    return ", ".join(parts)
