"""A feature group: `features` in pipeline.yml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from lakeloop.config import intervals, sql
from lakeloop.config.values import Interval, Name, Names, Section


def _measure(value: str) -> str:
    sql.measure(value)
    return value


class FeatureGroup(Section):
    """Windowed aggregates of one entity, as they were known at a time."""

    entity: Names = Field(
        default_factory=list,
        description="Columns that identify the entity, both in `from` and in the spine. None: all events are of one.",
        examples=["[carrier, origin]"],
    )
    from_: str = Field(
        alias="from", description="Table of the events, such as silver.flights.", examples=["silver.flights"]
    )
    where: str | None = Field(
        None, description="Only events for which this condition holds.", examples=["NOT cancelled"]
    )
    time: str = Field(description="Expression for the event's timestamp.", examples=["departed_at"])
    known_after: Interval = Field(
        "0 seconds", description="How long after that its values may be used.", examples=["6 hours"]
    )
    resolution: Interval = Field(
        "1 minute",
        description="Events are pre-aggregated to this; a value is visible from the end of its step.",
        examples=["1 hour"],
    )
    windows: list[Interval] = Field(
        default_factory=list,
        description="Lengths of the windows that end at the spine's time.",
        examples=["[2 hours, 7 days]"],
    )
    lags: list[Interval] = Field(
        default_factory=list,
        description="The measures of the events at exactly so long before the spine's time (to the `resolution`, of "
        "which both times should be whole steps).",
        examples=["[1 day, 7 days]"],
    )
    measures: dict[Name, Annotated[str, AfterValidator(_measure)]] = Field(
        min_length=1,
        description="Aggregates: avg, sum, count, min, max or stddev of an expression.",
        examples=["{mean_delay: avg(dep_delay), flights: count(*)}"],
    )

    @model_validator(mode="after")
    def _looks_somewhere(self) -> FeatureGroup:
        if not self.windows and not self.lags:
            raise ValueError("windows, such as [7 days], or lags")
        early = [lag for lag in self.lags if intervals.seconds(lag) < intervals.seconds(self.known_after)]
        if early:
            raise ValueError(f"lags of {self.known_after} (known_after) or more: after {early[0]} nothing is known yet")
        return self
