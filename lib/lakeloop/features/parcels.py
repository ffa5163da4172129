"""Moments and tiles on their way to each other: many rows as one value, a parcel.

Spark moves rows one by one, and each costs it some microseconds at every step; as Arrow tables in parcels they cost
next to nothing. Three steps, each a worker's: `ask` and `offer` address a row's moments and the tiles to where they
meet, `answer` finds the features of each moment there and sends them on to where the answers to one row meet, and
`gather` makes rows of them again. Imports neither Spark nor the rest of the package but for `asof`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from lakeloop.features.asof import Feature, computed

# A row's identity is two numbers: rows that ask the same have the same.
HIGH, LOW = "_lakeloop_high", "_lakeloop_low"
# A row's time in microseconds since 1970 (null: at no time), a tile's in seconds.
MICROS, AT = "_lakeloop_micros", "_lakeloop_at"
# Before the names of entity columns, as texts, and of partial results, as float64.
ENTITY, PARTIAL = "_lakeloop_entity_", "_lakeloop_partial_"
# A parcel: the number of its group, the bucket in which its rows meet others, and its content.
GROUP, BUCKET, CONTENT = "_lakeloop_group", "_lakeloop_bucket", "_lakeloop_content"
PARCEL = f"{GROUP} int, {BUCKET} int, {CONTENT} binary"

_SPAN = "_lakeloop_span"
# Owner and time as one number: seconds since 1970 take 41 bits, which leaves room for four million owners a bucket.
_SECONDS = 1 << 41
# An odd number by which a product's upper bits depend on all of a factor's.
_MIXING = np.uint64(0x9E3779B97F4A7C15)
# Rows that are addressed at a time, and rows of a parcel or a batch at most.
_AT_A_TIME, _MOST = 200_000, 50_000
_SCHEMA = pa.schema([(GROUP, pa.int32()), (BUCKET, pa.int32()), (CONTENT, pa.binary())])


@dataclass(frozen=True)
class Group:
    """What a worker knows of a feature group: its number, its entity's columns, its features, and seconds: the
    resolution, the span that an entity's time is cut into, and how far back the features look."""

    number: int
    entity: tuple[str, ...]
    features: tuple[Feature, ...]
    step: int
    span: int

    @property
    def reach(self) -> int:
        return max(feature.reach for feature in self.features)


def ask(batches: Iterator[pa.RecordBatch], groups: Sequence[Group], buckets: int) -> Iterator[pa.RecordBatch]:
    """The moments of rows, in parcels. Rows have HIGH, LOW, MICROS and the ENTITY columns of all groups; a row of which
    a group's entity or the time is null asks that group nothing."""
    for rows in _tables(batches):
        for group in groups:
            asks = ~rows[MICROS].is_null().to_numpy()
            for column in group.entity:
                asks &= ~rows[ENTITY + column].is_null().to_numpy()
            moments = rows.select([HIGH, LOW, MICROS, *[ENTITY + column for column in group.entity]])
            moments = moments.filter(pa.array(asks))
            at = moments[MICROS].to_numpy() // (group.step * 1_000_000) * group.step
            moments = moments.drop_columns(MICROS).append_column(AT, pa.array(at))
            moments = moments.append_column(_SPAN, pa.array(at // group.span))
            yield from _parcels(group, moments, _meeting(moments, group, buckets))


def offer(batches: Iterator[pa.RecordBatch], group: Group, buckets: int) -> Iterator[pa.RecordBatch]:
    """The tiles of a group, in parcels; each in all the spans that its windows reach. Rows have AT, the group's ENTITY
    columns and PARTIAL columns."""
    for rows in _tables(batches):
        at = rows[AT].to_numpy()
        first, last = at // group.span, (at + group.reach - 1) // group.span
        times = last - first + 1
        here = np.repeat(np.arange(len(at)), times)
        spans = first[here] + np.arange(len(here)) - np.repeat(np.cumsum(times) - times, times)
        tiles = rows.take(pa.array(here)).append_column(_SPAN, pa.array(spans))
        yield from _parcels(group, tiles, _meeting(tiles, group, buckets))


def answer(batches: Iterator[pa.RecordBatch], groups: Sequence[Group], buckets: int) -> Iterator[pa.RecordBatch]:
    """The features of the moments among the parcels of a partition, in parcels for the rows that asked. All parcels of
    a group's bucket are in one partition."""
    met: dict[tuple[int, int], list[pa.Table]] = defaultdict(list)
    for number, bucket, content in _opened(batches):
        met[number, bucket].append(content)
    for number, bucket in sorted(met):
        group, tables = groups[number], met.pop((number, bucket))
        moments = [table for table in tables if LOW in table.column_names]
        tiles = [table for table in tables if LOW not in table.column_names]
        if moments and tiles:
            answers = _answers(pa.concat_tables(moments), pa.concat_tables(tiles), group)
            yield from _parcels(group, answers, answers[LOW].to_numpy() % buckets)


def gather(batches: Iterator[pa.RecordBatch], groups: Sequence[Group]) -> Iterator[pa.RecordBatch]:
    """A row an identity among the parcels of a partition: HIGH, LOW and the features of all groups; counts int64, never
    null, other features float64, null where the window holds no value. All answers to a row are in one partition."""
    met: dict[int, list[pa.Table]] = defaultdict(list)
    for number, _, content in _opened(batches):
        met[number].append(content)
    if not met:
        return
    answers = {number: pa.concat_tables(tables) for number, tables in met.items()}
    high, low = (np.concatenate([table[name].to_numpy() for table in answers.values()]) for name in (HIGH, LOW))
    rows, first = _distinct(high, low)
    places = dict(zip(answers, np.split(rows, np.cumsum([len(table) for table in answers.values()])[:-1]), strict=True))
    columns: dict[str, pa.Array] = {HIGH: pa.array(high[first]), LOW: pa.array(low[first])}
    for group in groups:
        for feature in group.features:
            whole = feature.function == "count"
            values = np.full(len(first), 0.0 if whole else np.nan)
            if group.number in answers:
                values[places[group.number]] = answers[group.number][feature.column].to_numpy()
            columns[feature.column] = (
                pa.array(values.astype(np.int64)) if whole else pa.array(values, mask=np.isnan(values))
            )
    yield from pa.table(columns).to_batches(_MOST)


def _answers(moments: pa.Table, tiles: pa.Table, group: Group) -> pa.Table:
    """The features of each moment, beside its row's identity."""
    keys = _keys(moments, tiles, group)
    partials = {
        name.removeprefix(PARTIAL): tiles[name].to_numpy().astype(np.float64)
        for name in tiles.column_names
        if name.startswith(PARTIAL)
    }
    found = computed(keys[: len(moments)], keys[len(moments) :], partials, group.features)
    columns = {feature.column: values for feature, values in zip(group.features, found, strict=True)}
    return pa.table({HIGH: moments[HIGH], LOW: moments[LOW], **columns})


def _keys(moments: pa.Table, tiles: pa.Table, group: Group) -> np.ndarray:
    """Owner and time of each moment and then of each tile as one number, by owner first. An owner is an entity in a
    span of its time."""
    owner = np.zeros(len(moments) + len(tiles), dtype=np.int64)
    for column in (_SPAN, *[ENTITY + column for column in group.entity]):
        codes, distinct = _codes(pa.chunked_array([*moments[column].chunks, *tiles[column].chunks]))
        # The numbers of each step are as few as there are owners, so their product with the next column's is small.
        _, owner = np.unique(owner * len(distinct) + codes, return_inverse=True)
    at = np.concatenate([moments[AT].to_numpy(), tiles[AT].to_numpy()])
    return owner.astype(np.int64) * _SECONDS + at


def _meeting(rows: pa.Table, group: Group, buckets: int) -> np.ndarray:
    """The bucket of each row: the same for the moments and the tiles of an owner."""
    mixed = rows[_SPAN].to_numpy().astype(np.uint64) * _MIXING
    for column in group.entity:
        codes, distinct = _codes(rows[ENTITY + column])
        texts = np.array(distinct.to_pylist(), dtype=object)
        hashes = pd.util.hash_array(texts, categorize=False) if len(texts) else np.empty(0, np.uint64)
        mixed = (mixed + hashes[codes]) * _MIXING
    # The lower bits of a product know nothing of the upper ones of its factors.
    return ((mixed >> np.uint64(32)) % np.uint64(buckets)).astype(np.int64)


def _parcels(group: Group, rows: pa.Table, buckets: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The rows of each bucket in parcels."""
    order = np.argsort(buckets, kind="stable")
    rows, buckets = rows.take(pa.array(order)).combine_chunks(), buckets[order]
    cuts = np.flatnonzero(np.diff(buckets)) + 1
    found, addresses = [], []
    for start, end in zip([0, *cuts], [*cuts, len(buckets)], strict=True):
        for begin in range(start, end, _MOST):
            found.append(_written(rows.slice(begin, min(_MOST, end - begin))))
            addresses.append(buckets[begin])
    if found:
        numbers = pa.array([group.number] * len(found), pa.int32())
        content = pa.array(found, pa.binary())
        yield pa.RecordBatch.from_arrays([numbers, pa.array(addresses, pa.int32()), content], schema=_SCHEMA)


def _written(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def _opened(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, int, pa.Table]]:
    """Group, bucket and rows of each parcel."""
    for batch in batches:
        for number, bucket, content in zip(*[batch[name] for name in (GROUP, BUCKET, CONTENT)], strict=True):
            yield number.as_py(), bucket.as_py(), pa.ipc.open_stream(content.as_buffer()).read_all()


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches, put together to tables of a worthwhile size; none is empty."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= _AT_A_TIME:
            yield pa.Table.from_batches(held)
            held = []
    if any(map(len, held)):
        yield pa.Table.from_batches(held)


def _distinct(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each pair among the distinct ones, and where the first of each stands."""
    order = np.lexsort((high, low))
    high, low = high[order], low[order]
    new = np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])])
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers, order[new]


def _codes(values: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Each value as its place among the distinct ones, and these."""
    encoded = values.dictionary_encode().unify_dictionaries().combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary
