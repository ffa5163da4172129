"""What the tiles of an entity add up to over the time before a moment, in whole arrays.

Tiles are sorted once by owner and time and summed up as they go; the value of the window (t − w, t] is the total at
t less the total at t − w, both found by binary search. So one sort serves every window and no tile is looked at
twice. Imports neither Spark nor the rest of the package: each Python worker loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

# Columns of the batches beside those that are passed through.
OWNER, AT, IS_TILE = "_lakeloop_owner", "_lakeloop_at", "_lakeloop_is_tile"
PARTIAL = "_lakeloop_partial_"
PACKED = "_lakeloop_packed"

# Owner and time as one number: seconds since 1970 take 41 bits, which leaves room for four million owners.
_SECONDS = 1 << 41
_BATCH = 50_000


@dataclass(frozen=True)
class Feature:
    """A column to add: ``function`` over the window of ``length`` seconds that ends ``offset`` seconds before the
    moment, from the measure's partial results."""

    column: str
    function: str
    measure: str
    length: int
    offset: int = 0

    @property
    def reach(self) -> int:
        """How far back it looks, in seconds."""
        return self.offset + self.length


def add(batches: Iterator[pa.RecordBatch], features: Sequence[Feature]) -> Iterator[pa.RecordBatch]:
    """The moments among the rows of a partition, with their features added to PACKED.

    Rows have OWNER string (null: belongs to nobody), AT int64 seconds since 1970 (null: at no time), IS_TILE bool,
    PARTIAL<measure>__<kind> float64 (of tiles), PACKED binary (of moments: the features of earlier groups) and columns
    to pass through (of moments). All rows of an owner are in one partition. PACKED holds a row's features as float64,
    NaN where the window holds no value, 0 for a count: a hundred columns would each be carried through every exchange.
    """
    given = list(batches)
    if not given:
        return
    rows = pa.Table.from_batches(given)
    is_tile = rows[IS_TILE].to_numpy()
    keys = _keys(rows)
    tiles = rows.filter(rows[IS_TILE])
    moments = rows.filter(pa.array(~is_tile))
    found = _computed(keys[~is_tile], keys[is_tile], tiles, features)
    passed = [name for name in rows.column_names if name not in (OWNER, AT, IS_TILE, PACKED)]
    moments_only = moments.select([name for name in passed if not name.startswith(PARTIAL)])
    packed = np.hstack([_unpacked(moments[PACKED]), np.column_stack(found)])
    for start in range(0, len(packed), _BATCH):
        part = moments_only.slice(start, _BATCH).append_column(PACKED, _packed(packed[start : start + _BATCH]))
        yield from part.combine_chunks().to_batches()


def unpack(batches: Iterator[pa.RecordBatch], features: Sequence[Feature]) -> Iterator[pa.RecordBatch]:
    """PACKED as columns: counts int64, never null; other features float64, null where the window holds no value."""
    for batch in batches:
        values = _unpacked(pa.chunked_array([batch[PACKED]]))
        arrays = [batch[name] for name in batch.schema.names if name != PACKED]
        names = [name for name in batch.schema.names if name != PACKED]
        for number, feature in enumerate(features):
            column = np.ascontiguousarray(values[:, number])
            whole = feature.function == "count"
            arrays.append(pa.array(column.astype(np.int64)) if whole else pa.array(column, mask=np.isnan(column)))
        yield pa.RecordBatch.from_arrays(arrays, [*names, *[feature.column for feature in features]])


def _packed(values: np.ndarray) -> pa.Array:
    """The rows of a matrix, each as bytes."""
    count, width = values.shape[0], values.shape[1] * 8
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    data = np.ascontiguousarray(values, dtype=np.float64)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _unpacked(column: pa.ChunkedArray) -> np.ndarray:
    """What `_packed` was given: a row of numbers each."""
    parts = []
    for chunk in column.chunks:
        if len(chunk):
            _, offsets, data = chunk.buffers()
            ends = np.frombuffer(offsets, dtype=np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
            held = (
                np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]] if data is not None else np.empty(0, np.uint8)
            )
            parts.append(np.frombuffer(held.tobytes(), dtype=np.float64).reshape(len(chunk), -1 if len(held) else 0))
    return np.vstack(parts) if parts else np.empty((0, 0))


def _keys(rows: pa.Table) -> np.ndarray:
    """Owner and time of each row as one number that sorts by owner first; those of nobody come before all others."""
    encoded = rows[OWNER].dictionary_encode().unify_dictionaries()
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    owners = np.concatenate(codes).astype(np.int64)
    owners[rows[AT].is_null().to_numpy()] = -1
    return (owners + 1) * _SECONDS + rows[AT].fill_null(0).to_numpy()


def _computed(
    moments: np.ndarray, tiles: np.ndarray, partials: pa.Table, features: Sequence[Feature]
) -> list[np.ndarray]:
    """The features of each moment, in the order of ``moments``; both are keys."""
    tile_order = np.argsort(tiles, kind="stable")
    tiles = tiles[tile_order]
    # Sorted needles make each search go on from the one before.
    moment_order = np.argsort(moments, kind="stable")
    moments = moments[moment_order]
    edges = sorted({edge for feature in features for edge in (feature.offset, feature.reach)})
    # The first tile after each edge.
    after = {edge: np.searchsorted(tiles, moments - edge, side="right") for edge in edges}
    columns = {
        name.removeprefix(PARTIAL): partials[name].to_numpy()[tile_order].astype(np.float64)
        for name in partials.column_names
        if name.startswith(PARTIAL)
    }
    totals = {name: _running(values) for name, values in columns.items()}
    found = []
    for feature in features:
        values = np.empty(len(moments))
        values[moment_order] = _feature(feature, columns, totals, after[feature.reach], after[feature.offset])
        found.append(values)
    return found


def _running(values: np.ndarray) -> np.ndarray:
    """Totals before each tile, and at the end; what is missing adds nothing."""
    return np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])


def _feature(
    feature: Feature,
    columns: dict[str, np.ndarray],
    totals: dict[str, np.ndarray],
    starts: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """A feature over the tiles from ``starts`` to ``ends`` (exclusive) of each row; NaN where there is no value."""

    def total(kind: str) -> np.ndarray:
        running = totals[f"{feature.measure}__{kind}"]
        return running[ends] - running[starts]

    if feature.function in ("min", "max"):
        values = columns[f"{feature.measure}__{feature.function}"]
        return _extreme(values, starts, ends, np.fmin if feature.function == "min" else np.fmax)
    count = total("count")
    if feature.function == "count":
        return count
    with np.errstate(divide="ignore", invalid="ignore"):
        if feature.function == "sum":
            return np.where(count > 0, total("sum"), np.nan)
        if feature.function == "avg":
            return np.where(count > 0, total("sum") / count, np.nan)
        spread = (total("squares") - total("sum") ** 2 / count) / (count - 1)
        return np.where(count > 1, np.sqrt(np.maximum(spread, 0.0)), np.nan)


def _extreme(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray, function: Callable[..., np.ndarray]
) -> np.ndarray:
    """The smallest or greatest of each range; NaN where a range holds no value.

    A range is covered by two spans whose width is a power of two; the extremes of all spans of a width come from
    those of half the width (a sparse table, of which one level is kept at a time).
    """
    found = np.full(len(starts), np.nan)
    lengths = ends - starts
    level, width = values, 1
    while width <= lengths.max(initial=0):
        asked = (lengths >= width) & (lengths < 2 * width)
        found[asked] = function(level[starts[asked]], level[ends[asked] - width])
        level = function(level[:-width], level[width:])
        width *= 2
    return found
