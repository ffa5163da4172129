"""Whatever files arrive in whatever order, each table equals the one that a rebuild from the raw files gives."""

from __future__ import annotations

import gzip
import itertools
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakeloop import bronze, gold, history, rejected, silver
from lakeloop.derivation import Derivation
from lakeloop.errors import DataError
from lakeloop.features import table as feature_table
from lakeloop.features import tiles
from lakeloop.pipeline import waves
from lakeloop.tables import Table

SHOP = """
pipeline: {name}
sources:
  orders:
    path: {folder}/*
    key: {key}
    latest_by: {latest_by}
    history: {history}
    columns: {{id: int, at: timestamp, day: to_date(at), customer: string, total: int}}
    expect: {{total_is_positive: total > 0, total_is_small: {{rule: total < 90, otherwise: drop}}}}
gold:
  takings:
    sql: >-
      SELECT o.day, o.customer, max(o.at) AS at, sum(o.total) AS total, max(b.total) AS dearest_before
      FROM silver.orders o LEFT JOIN silver.orders b ON b.customer = o.customer AND b.day = date_sub(o.day, 1)
      GROUP BY o.day, o.customer
    key: [day, customer]
    time: at
    increment_by: day
    near: {{silver.orders: {{column: at, days_after: 1}}}}
features:
  customers:
    entity: customer
    from: silver.orders
    time: at
    known_after: 1 hour
    windows: [1 day, 3 days]
    measures: {{orders: count(*), spent: sum(total), dearest: max(total)}}
model: {{task: binary, spine: gold.takings, label: total > 10, split: {{by: random}}}}
"""
HEADER = "id,at,customer,total"
NUMBERS = itertools.count()
NOISE = Random(0).randbytes(4000)


@dataclass(frozen=True)
class File:
    """A file that arrives. ``again`` counts back to an earlier one, whose content it brings once more; ``name`` and
    ``modified`` (a day) are not in the order of arrival; ``form`` is plain, noted (a column more), cut or empty."""

    rows: tuple[tuple[Any, ...], ...] = ()
    name: int = 0
    modified: int = 1
    form: str = "plain"
    again: int = 0

    def content(self) -> bytes:
        rows = [",".join("" if value is None else str(value) for value in row) for row in self.rows]
        if self.form == "empty":
            return b""
        if self.form == "cut":
            return gzip.compress("\n".join([HEADER, *rows, ""]).encode() + NOISE)[:-2000]
        if self.form == "noted":
            return "\n".join([f"note,{HEADER}", *[f"new,{row}" for row in rows], ""]).encode()
        return "\n".join([HEADER, *rows, ""]).encode()


def order(id: int | None, day: int, hour: int, customer: str | None, total: object) -> tuple[Any, ...]:
    return (id, f"2024-05-{day:02} {hour:02}:30:00", customer, total)


ORDERS = st.builds(
    order,
    st.sampled_from([1, 2, 3, 4, None]),
    st.integers(1, 6),
    st.sampled_from([0, 12, 23]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from([5, 7, 20, 95, -1, "x", "5,surplus"]),
)
FILES = st.builds(
    File,
    st.lists(ORDERS, max_size=5).map(tuple),
    st.integers(0, 9),
    st.integers(1, 9),
    st.sampled_from(["plain", "plain", "plain", "noted", "cut", "empty"]),
    st.sampled_from([0, 0, 1, 2, 3]),
)
ARRIVALS = st.lists(st.lists(FILES, min_size=1, max_size=3), min_size=2, max_size=4)


def land(folder: Path, files: list[File], earlier: list[bytes]) -> None:
    """Puts the files there; ``earlier`` has the contents so far, and then theirs."""
    for file in files:
        content = earlier[-file.again] if 0 < file.again <= len(earlier) else file.content()
        ending = "csv.gz" if content.startswith(b"\x1f\x8b") else "csv"
        place = folder / f"{file.name}-{len(earlier):02}.{ending}"
        place.write_bytes(content)
        modified = datetime(2024, 5, file.modified, tzinfo=timezone.utc).timestamp()
        os.utime(place, (modified, modified))
        earlier.append(content)


def derivations(case: UseCase) -> list[Derivation]:
    pipeline = [*silver.derivations(case.settings, "orders"), *history.derivations(case.settings, "orders")]
    pipeline += gold.derivations(case.settings)
    return [*pipeline, tiles.derivation(case.settings, "customers"), feature_table.derivation(case.settings)]


def run(case: UseCase) -> None:
    """What a run does, to the features; nothing where nothing that has a row has arrived yet."""
    try:
        bronze.ingest(case.engine(), "orders", datetime(2024, 6, 1, tzinfo=timezone.utc))
    except DataError as error:
        assert any(words in str(error) for words in ("no row", "no csv file", "could be read"))
        return
    engine = case.engine()
    for wave in waves(derivations(case)):
        for derivation in wave:
            engine.derive(derivation)


def everything(case: UseCase) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all tables that are there, but for when they came."""
    tables = [Table("bronze", "orders"), *[derivation.output for derivation in derivations(case)], rejected.REJECTED]
    found = {}
    for table in tables:
        if case.lakehouse.latest(table) is not None:
            rows = case.lakehouse.read(table)
            columns = sorted(set(rows.columns) - {"_ingested_at", "rejected_at", "run"})
            found[str(table)] = [tuple(columns), *tuples(rows.select(*[f"`{column}`" for column in columns]))]
    return found


# How rows are known: by what key, and which version of it wins; a history is of rows with a key.
KINDS = {
    "newest file": {"key": "id", "latest_by": "[_source_modified_at]", "history": "true"},
    "newest time": {"key": "id", "latest_by": "[at]", "history": "true"},
    "content": {"key": "[]", "latest_by": "[_source_modified_at]", "history": "false"},
}


def check(use_case: MakeUseCase, tmp_path: Path, kind: str, arrivals: list[list[File]]) -> None:
    number = next(NUMBERS)
    folder = tmp_path / f"raw{number}"
    folder.mkdir()
    case = use_case(SHOP.format(name=f"shop{number}", folder=folder, **KINDS[kind]))
    earlier: list[bytes] = []
    for files in arrivals:
        land(folder, files, earlier)
        run(case)

    anew = use_case(SHOP.format(name=f"anew{number}", folder=folder, **KINDS[kind]))
    run(anew)

    assert everything(case) == everything(anew)


# A late correction that moves a row to another day, a row twice in a file and a file twice, files that are cut or
# empty, a column that comes, and days that no row is left of.
DAYS = [
    [
        File((order(1, 1, 0, "a", 5), order(2, 2, 12, "b", 7), order(2, 2, 12, "b", 7)), 5, 3),
        File((order(3, 3, 23, "a", "x"), order(4, 2, 0, "b", 20)), 6, 3, "cut"),
        File((), 7, 3),
    ],
    [
        File((order(1, 4, 23, "b", 20), order(3, 1, 0, "a", 95), order(None, 1, 0, "a", 5)), 4, 5, "noted"),
        File((order(2, 1, 12, "a", -1), order(4, 1, 12, None, 7), order(1, 1, 0, "a", "5,surplus")), 8, 2),
        File(again=5, name=1, modified=1),
    ],
    [File(again=3, name=9, modified=9), File(form="empty", name=2), File((order(1, 6, 0, "a", 7),), 0, 4)],
]


@pytest.mark.soak
@settings(settings.get_profile("few"))
@given(st.sampled_from(list(KINDS)), ARRIVALS)
@example("newest file", DAYS)
@example("newest time", DAYS)
def test_tables_equal_a_rebuild(use_case: MakeUseCase, tmp_path: Path, kind: str, arrivals: list[list[File]]) -> None:
    check(use_case, tmp_path, kind, arrivals)


@pytest.mark.soak
@settings(settings.get_profile("many"))
@given(st.sampled_from(list(KINDS)), ARRIVALS)
@example("content", DAYS)
def test_tables_equal_a_rebuild_many_times(
    use_case: MakeUseCase, tmp_path: Path, kind: str, arrivals: list[list[File]]
) -> None:
    check(use_case, tmp_path, kind, arrivals)
