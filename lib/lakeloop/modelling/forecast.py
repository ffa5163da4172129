"""Forecasts: a series' value some time ahead, as the label of a row, and what a naive forecast says of it."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakeloop.config import intervals
from lakeloop.config.model import Model

_AT, _VALUE, _SAME = "_forecast_at", "_forecast_value", "_forecast_entity_"


def shifted(rows: DataFrame, name: str, value: Column, entity: Sequence[str], time: str, seconds: int) -> DataFrame:
    """``rows`` with the column ``name``: the value in the row of the same entity at exactly ``time`` + ``seconds``
    (negative: before it); null where there is no such row.

    No row is added or lost. Computing it fails, in the user's words, where an entity has two rows at one time.
    """
    at = F.unix_micros(F.col(f"`{time}`").cast("timestamp"))
    series = [F.col(f"`{column}`").alias(f"{_SAME}{number}") for number, column in enumerate(entity)]
    names = [f"{_SAME}{number}" for number in range(len(entity))]
    others = rows.select(*series, (at - seconds * 1_000_000).alias(_AT), value.alias(_VALUE))
    others = others.filter(F.col(_AT).isNotNull()).groupBy(*names, _AT)
    whose = f"one {', '.join(entity)}" if entity else "the series"
    message = (
        f"model.entity: {whose} has several rows at the same {time}, so it is not said which of them is the outcome; "
        "name all columns that tell the series apart"
    )
    one = F.when(F.count(F.lit(1)) == 1, F.first(_VALUE)).otherwise(F.raise_error(F.lit(message)).cast("double"))
    values = others.agg(one.alias(name))
    same = F.col(f"_own{_AT}") == F.col(_AT)
    for column, other in zip(entity, names, strict=True):
        same = same & F.col(f"`{column}`").eqNullSafe(F.col(other))
    return rows.withColumn(f"_own{_AT}", at).join(values, same, "left").drop(f"_own{_AT}", _AT, *names)


def horizon(model: Model) -> int:
    """How far ahead the outcome lies, in seconds; 0 where nothing is forecast."""
    return intervals.seconds(model.horizon) if model.horizon else 0


def naive_shift(model: Model) -> int:
    """Where the naive forecast looks, in seconds from a row's time: the newest moment whose value is known by then
    and, with a season, lies whole seasons before the target. Never positive."""
    ahead = horizon(model)
    known = intervals.seconds(model.label.known_after)
    if model.season is None:
        return -known
    season = intervals.seconds(model.season)
    return ahead - season * -(-(ahead + known) // season)
