"""Windows: what the tiles of an entity add up to over the time before a moment.

Tiles are sorted once by entity and time and summed up as they go; the value of the window (t − w, t] is the total at
t less the total at t − w, both found by binary search. So one sort serves every window and no tile is looked at
twice. It is done in whole arrays, a bucket of entities at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config import intervals, sql
from lakeloop.config.models import FeatureGroup
from lakeloop.features.tiles import KNOWN_AT, PARTIALS

AT = "_at"
_BUCKET = "_bucket"

# Entities are spread over this many buckets for each shuffle partition: a bucket is what one call holds in memory.
_BUCKETS_A_PARTITION = 4


def feature_columns(name: str, group: FeatureGroup) -> dict[str, str]:
    """The columns that the group adds, ``<group>_<measure>_<window>``, with the function that each one is."""
    return {
        feature_name(name, measure, window): sql.measure(text).function
        for window in _lengths(group)
        for measure, text in group.measures.items()
    }


def feature_name(name: str, measure: str, window: int) -> str:
    return f"{name}_{measure}_{intervals.short(window)}"


def moment(time: str, group: FeatureGroup) -> Column:
    """The last end of a tile, in seconds since 1970, that had passed at ``time``."""
    step = intervals.seconds(group.resolution)
    return F.expr(f"cast(floor(unix_micros(cast(`{time}` as timestamp)) / {step}000000L) as bigint) * {step}L")


def as_of(moments: DataFrame, tiles: DataFrame, name: str, group: FeatureGroup) -> DataFrame:
    """The group's features at some moments.

    ``moments`` has the entity's columns, `_at` bigint (seconds, see `moment`) and whatever else identifies its rows.
    The result has these other columns and a column a measure and window: double, null where the window holds no
    value; counts are bigint, then 0. A row whose entity or moment is null is left out.
    """
    for column in (*group.entity, AT):
        moments = moments.filter(F.col(f"`{column}`").isNotNull())
    others = [field for field in moments.schema if field.name not in (*group.entity, AT)]
    schema = T.StructType([*others, *_fields(name, group)])
    buckets = int(moments.sparkSession.conf.get("spark.sql.shuffle.partitions") or 200) * _BUCKETS_A_PARTITION
    bucket = F.pmod(F.xxhash64(*[F.col(f"`{column}`") for column in group.entity]), F.lit(buckets)).alias(_BUCKET)
    entity = F.concat_ws("\x1f", *[F.col(f"`{column}`").cast("string") for column in group.entity]).alias("_entity")
    left = moments.select(bucket, entity, AT, *[f"`{field.name}`" for field in others])
    right = tiles.select(bucket, entity, F.unix_timestamp(KNOWN_AT).alias(AT), *_partials(group))
    compute = _computation(name, group, [field.name for field in others])
    return left.groupBy(_BUCKET).cogroup(right.groupBy(_BUCKET)).applyInPandas(compute, schema)


def _computation(
    name: str, group: FeatureGroup, others: Sequence[str]
) -> Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]:
    """A function over a bucket's moments and tiles."""
    lengths = _lengths(group)
    functions = {measure: sql.measure(text).function for measure, text in group.measures.items()}
    whole = {feature_name(name, m, w) for m, function in functions.items() for w in lengths if function == "count"}

    def compute(moments: pd.DataFrame, tiles: pd.DataFrame) -> pd.DataFrame:
        codes = pd.Index(np.unique(tiles["_entity"].to_numpy(dtype=object)))
        owner = codes.get_indexer(pd.Index(tiles["_entity"]))
        order = np.lexsort((tiles[AT].to_numpy(), owner))
        tiles = tiles.iloc[order]
        keys = _keys(owner[order], tiles[AT].to_numpy())
        asked = codes.get_indexer(pd.Index(moments["_entity"]))
        now = moments[AT].to_numpy()
        ends = np.searchsorted(keys, _keys(asked, now), side="right")
        found = {column: moments[column].to_numpy() for column in others}
        for length in lengths:
            starts = np.searchsorted(keys, _keys(asked, now - length), side="right")
            # An entity without tiles has code −1 and an empty range at the very start.
            for measure, function in functions.items():
                values = _feature(function, measure, tiles, starts, ends)
                column = feature_name(name, measure, length)
                found[column] = values.astype(np.int64) if column in whole else values
        frame = pd.DataFrame(found)
        nullable = [column for column in frame.columns if column not in others and column not in whole]
        frame[nullable] = frame[nullable].astype("Float64") if nullable else frame[nullable]
        return frame

    return compute


def _keys(owners: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Entity and time as one number that sorts by entity first; good for a million entities a bucket."""
    return (owners.astype(np.int64) + 1) * (1 << 41) + seconds.astype(np.int64)


def _feature(function: str, measure: str, tiles: pd.DataFrame, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """A measure over the tiles from ``starts`` to ``ends`` (exclusive) of each row; NaN where there is no value."""

    def partial(kind: str) -> np.ndarray:
        return np.asarray(tiles[f"{measure}__{kind}"].to_numpy(dtype=np.float64, na_value=np.nan))

    def total(kind: str) -> np.ndarray:
        running = np.concatenate([[0.0], np.cumsum(np.nan_to_num(partial(kind)))])
        return running[ends] - running[starts]

    if function in ("min", "max"):
        return _extreme(partial(function), starts, ends, np.fmin if function == "min" else np.fmax)
    count = total("count")
    if function == "count":
        return count
    with np.errstate(divide="ignore", invalid="ignore"):
        if function == "sum":
            return np.where(count > 0, total("sum"), np.nan)
        if function == "avg":
            return np.where(count > 0, total("sum") / count, np.nan)
        spread = (total("squares") - total("sum") ** 2 / count) / (count - 1)
        return np.where(count > 1, np.sqrt(np.maximum(spread, 0.0)), np.nan)


def _extreme(values: np.ndarray, starts: np.ndarray, ends: np.ndarray, function: np.ufunc) -> np.ndarray:
    """The smallest or greatest of each range; NaN where a range holds no value."""
    found = np.full(len(starts), np.nan)
    there = ends > starts
    if there.any():
        ranges = np.column_stack([starts[there], ends[there]]).ravel()
        found[there] = function.reduceat(np.append(values, np.nan), ranges)[::2]
    return found


def _fields(name: str, group: FeatureGroup) -> list[T.StructField]:
    return [
        T.StructField(column, T.LongType() if function == "count" else T.DoubleType())
        for column, function in feature_columns(name, group).items()
    ]


def _partials(group: FeatureGroup) -> list[str]:
    return [f"{name}__{kind}" for name, text in group.measures.items() for kind in PARTIALS[sql.measure(text).function]]


def _lengths(group: FeatureGroup) -> Sequence[int]:
    return [intervals.seconds(window) for window in group.windows]
