"""Each moment meets the tiles of its owner, and its answers come back to who asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest

from lakeloop.features import parcels
from lakeloop.features.asof import Feature
from lakeloop.features.parcels import AT, BUCKET, CONTENT, ENTITY, HIGH, LOW, MICROS, PARTIAL, Group

SHOP = Group(0, ("shop",), (Feature("n", "count", "m", 10), Feature("total", "sum", "m", 10)), step=1, span=40)
ALL = Group(1, (), (Feature("most", "max", "m", 25, offset=5),), step=5, span=120)
GROUPS = (SHOP, ALL)

# Who asks, when (seconds) and of which shop; what became known, when and of which shop.
Asked = tuple[int, int | None, str | None]
Tile = tuple[int, str, float]
TILES: list[Tile] = [(3, "a", 1.0), (9, "a", 2.0), (9, "b", 4.0), (38, "a", 8.0), (41, "a", 16.0), (77, "b", 32.0)]
ASKED: list[Asked] = [(1, 9, "a"), (2, 12, "b"), (3, 45, "a"), (4, 45, None), (5, None, "a"), (6, 80, "b"), (7, 9, "c")]
FOUND = {
    1: (2, 3.0, None),
    2: (1, 4.0, 1.0),
    3: (2, 24.0, 8.0),
    4: (0, None, 8.0),
    6: (1, 32.0, None),
    7: (0, None, None),
}


def asked(rows: list[Asked]) -> Iterator[pa.RecordBatch]:
    for number, second, shop in rows:
        micros = None if second is None else second * 1_000_000 + 999_999
        yield pa.RecordBatch.from_pydict({
            HIGH: pa.array([-number]), LOW: pa.array([number]), MICROS: pa.array([micros], pa.int64()),
            ENTITY + "shop": pa.array([shop], pa.string()),
        })  # fmt: skip


def tiles(rows: list[Tile], group: Group) -> Iterator[pa.RecordBatch]:
    for second, shop, value in rows:
        entity = {ENTITY + column: [shop] for column in group.entity}
        partials = {f"{PARTIAL}m__{kind}": [value] for kind in ("sum", "max")} | {f"{PARTIAL}m__count": [1.0]}
        yield pa.RecordBatch.from_pydict({AT: pa.array([second], pa.int64()), **entity, **partials})


def found(buckets: int, order: random.Random) -> dict[int, tuple[Any, ...]]:
    """The features of who asked, all parcels brought by in some order, as Spark does."""
    of_shops = parcels.offer(tiles(TILES, SHOP), SHOP, buckets)
    # Without an entity all are one: of those at one time the greatest.
    of_all = parcels.offer(tiles([(3, "", 1.0), (9, "", 4.0), (38, "", 8.0), (41, "", 16.0)], ALL), ALL, buckets)
    sent = one_by_one(chain(parcels.ask(asked(ASKED), GROUPS, buckets), of_shops, of_all), order)
    answers = one_by_one(parcels.answer(iter(sent), GROUPS, buckets), order)
    rows = pa.Table.from_batches(parcels.gather(iter(answers), GROUPS)).to_pylist()
    assert all(row[HIGH] == -row[LOW] for row in rows)
    assert len({row[LOW] for row in rows}) == len(rows)
    return {row[LOW]: (row["n"], row["total"], row["most"]) for row in rows}


def one_by_one(batches: Iterator[pa.RecordBatch], order: random.Random) -> list[pa.RecordBatch]:
    single = [batch.slice(row, 1) for batch in batches for row in range(len(batch))]
    order.shuffle(single)
    return single


@pytest.mark.parametrize("buckets", [1, 3, 16])
@pytest.mark.parametrize("seed", range(3))
def test_answers_come_back_to_who_asked(buckets: int, seed: int) -> None:
    rows = found(buckets, random.Random(seed))
    # Who asked nothing, or where nobody knew anything, may have no answer at all.
    assert {number: rows.get(number, (0, None, None)) for number in FOUND} == FOUND
    assert rows.get(5, (0, None, None)) == (0, None, None)


def test_nothing_asked_or_nothing_known_is_no_row() -> None:
    assert list(parcels.ask(iter([]), GROUPS, 4)) == []
    only_asked = list(parcels.ask(asked(ASKED), GROUPS, 4))
    assert list(parcels.answer(iter(only_asked), GROUPS, 4)) == []
    assert list(parcels.gather(iter([]), GROUPS)) == []


def test_two_who_ask_the_same_have_one_answer() -> None:
    sent = [*parcels.ask(asked([(1, 9, "a"), (1, 9, "a")]), GROUPS, 4), *parcels.offer(tiles(TILES, SHOP), SHOP, 4)]
    rows = pa.Table.from_batches(parcels.gather(parcels.answer(iter(sent), GROUPS, 4), GROUPS)).to_pylist()
    assert [(row[LOW], row["n"]) for row in rows] == [(1, 2)]


def test_a_parcel_holds_no_more_rows_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "_MOST", 2)
    [batch] = parcels.offer(tiles([(second, "a", 1.0) for second in range(5)], SHOP), SHOP, 4)
    assert [len(pa.ipc.open_stream(content.as_buffer()).read_all()) for content in batch[CONTENT]] == [2, 2, 1]
    assert len(set(batch[BUCKET].to_pylist())) == 1


def test_the_spans_of_a_group_without_an_entity_are_spread() -> None:
    days = [(second * ALL.span, "", 1.0) for second in range(200)]
    addresses = {bucket for batch in parcels.offer(tiles(days, ALL), ALL, 16) for bucket in batch[BUCKET].to_pylist()}
    assert len(addresses) > 12
