"""A history has all versions of a key, with the time from which and until which each held, however they came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from random import Random
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakeloop import history
from lakeloop.config.sources import Source
from lakeloop.errors import ConfigurationError
from lakeloop.governance import audit
from lakeloop.merging import GONE

SOURCE = Source.model_validate(
    {"path": "x", "key": "id", "latest_by": ["at"], "columns": {"id": "string", "at": "int", "state": "string"}}
)
VERSIONS = (
    "id string, at int, state string, _source_file string, _source_modified_at int, _ingested_at int, "
    "_row_hash int, __START_AT int"
)
INTERVALS = f"{VERSIONS}, __END_AT int, _last_seen_at int"
Version = tuple[int | None, str | None, int]


def versions(spark: SparkSession, keys: dict[str, Sequence[Version]]) -> DataFrame:
    """Versions of keys as (start, state, number of the file)."""
    rows = [
        (key, at, state, f"file{file}", file, 0, ord(state[0]) if state else 0, at)
        for key, of_key in keys.items()
        for at, state, file in of_key
    ]
    return spark.createDataFrame(rows, VERSIONS)


def shown(rows: Iterable[Row]) -> dict[str, list[tuple[Any, ...]]]:
    """The intervals of each key as (start, end, last seen, state, file)."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda row: (row["id"], row["__START_AT"] or 0)):
        interval = (row["__START_AT"], row["__END_AT"], row["_last_seen_at"], row["state"], row["_source_modified_at"])
        found.setdefault(row["id"], []).append(interval)
    return found


def test_versions_become_intervals(spark: SparkSession) -> None:
    found = history.intervals(
        versions(
            spark,
            {
                "one": [(5, "a", 1)],
                "out of order": [(7, "c", 1), (1, "a", 2), (4, "b", 3)],
                "seen again": [(1, "a", 1), (2, "a", 2), (3, "a", 3), (4, "b", 4), (5, "b", 5), (6, "a", 6)],
                "same start, newest file": [(1, "b", 2), (1, "a", 1), (2, "c", 1)],
                "null is a state": [(1, None, 1), (2, None, 2), (3, "a", 3), (4, None, 4)],
                "start unknown": [(5, "b", 2), (None, "a", 1), (3, "a", 3)],
                "start never known": [(None, "a", 1), (None, "b", 2)],
            },
        ),
        SOURCE,
    )

    assert found.columns == [*VERSIONS.replace(",", "").split()[:-2:2], "__START_AT", "__END_AT", "_last_seen_at"]
    assert shown(found.collect()) == {
        "one": [(5, None, 5, "a", 1)],
        "out of order": [(1, 4, 1, "a", 2), (4, 7, 4, "b", 3), (7, None, 7, "c", 1)],
        "seen again": [(1, 4, 3, "a", 1), (4, 6, 5, "b", 4), (6, None, 6, "a", 6)],
        "same start, newest file": [(1, 2, 1, "b", 2), (2, None, 2, "c", 1)],
        "null is a state": [(1, 3, 2, None, 1), (3, 4, 3, "a", 3), (4, None, 4, None, 4)],
        "start unknown": [(None, 5, 3, "a", 1), (5, None, 5, "b", 2)],
        "start never known": [(None, None, None, "b", 2)],
    }


def test_maps_are_compared_by_what_they_hold(spark: SparkSession) -> None:
    rows = versions(spark, {"one": [(1, "a", 1), (2, "a", 2), (3, "b", 3)]})
    source = SOURCE.model_copy(update={"columns": {**SOURCE.columns, "state": "map(state, at)"}})
    for constant, starts in [("1", [1, 3]), ("at", [1, 2, 3])]:
        mapped = rows.withColumn("state", F.expr(f"map('state', state, 'at', {constant})"))
        found = history.intervals(mapped, source).collect()
        assert sorted(row["__START_AT"] for row in found) == starts


def test_new_versions_are_folded_into_intervals(spark: SparkSession) -> None:
    seen = [(1, "a", 1), (3, "a", 1), (5, "a", 1), (7, "b", 1)]
    new: dict[str, Sequence[Version]] = {
        "newer": [(8, "c", 2)],
        "seen again": [(8, "b", 2)],
        "seen earlier": [(6, "b", 2)],
        "between": [(6, "x", 2)],
        "before all": [(0, "x", 2)],
        "no other, inside": [(4, "a", 2), (5, "a", 2)],
        "corrected": [(7, "c", 2)],
        "corrected away": [(7, "a", 2)],
        "corrected by what is older": [(1, "x", 0), (7, "x", 0)],
        "delivered again": [(1, "a", 2)],
        "of a new key": [(2, "a", 2), (1, "a", 2)],
        "seen in part by another run": [(9, "c", 2), (8, "c", 2)],
        # These cannot be told from the intervals.
        "inside": [(4, "x", 2)],
        "at a time that was seen": [(3, "x", 2)],
        "at the first time": [(1, "x", 2)],
        "at the last time": [(5, "x", 0)],
    }
    late = ["at a time that was seen", "at the first time", "at the last time", "inside"]
    there = history.intervals(versions(spark, {key: seen for key in new if key != "of a new key"}), SOURCE)
    # What is taken from the whole shows.
    whole = {key: [(at, f"{state} anew", file) for at, state, file in [*seen, *new[key]]] for key in new}

    rows = history.folded(versions(spark, new), there, lambda: versions(spark, whole), SOURCE)

    a, b = (1, 7, 5, "a", 1), (7, None, 7, "b", 1)
    every = rows.collect()
    found = shown(row for row in every if not row[GONE])
    assert {key: found[key] for key in new if key not in late} == {
        "newer": [a, (7, 8, 7, "b", 1), (8, None, 8, "c", 2)],
        "seen again": [a, (7, None, 8, "b", 1)],
        "seen earlier": [(1, 6, 5, "a", 1), (6, None, 7, "b", 2)],
        "between": [(1, 6, 5, "a", 1), (6, 7, 6, "x", 2), b],
        "before all": [(0, 1, 0, "x", 2), a, b],
        "no other, inside": [a, b],
        "corrected": [a, (7, None, 7, "c", 2)],
        "corrected away": [(1, None, 7, "a", 1)],
        "corrected by what is older": [a, b],
        "delivered again": [(1, 7, 5, "a", 2), b],
        "of a new key": [(1, None, 2, "a", 2)],
        "seen in part by another run": [a, (7, 8, 7, "b", 1), (8, None, 9, "c", 2)],
    }
    assert sorted(key for key in found if "anew" in found[key][0][3]) == late
    assert found["inside"] == [
        (1, 4, 3, "a anew", 1), (4, 5, 4, "x anew", 2), (5, 7, 5, "a anew", 1), (7, None, 7, "b anew", 1),
    ]  # fmt: skip
    assert found["at the last time"][0] == (*a[:3], "a anew", 1)
    gone = {key: sorted(row["__START_AT"] for row in every if row["id"] == key and row[GONE]) for key in new}
    assert (gone["corrected away"], gone["seen in part by another run"]) == ([5, 7], [5, 9])


def test_whatever_comes_when_the_intervals_are_those_of_all_versions(spark: SparkSession) -> None:
    random = Random(20240501)

    def some() -> list[Version]:
        return [
            (random.choice([None, *range(7)]), random.choice("aab"), random.randrange(4))
            for _ in range(random.randrange(7))
        ]

    before, new = ({f"key {number}": some() for number in range(500)} for _ in range(2))
    every = versions(spark, {key: [*before[key], *new[key]] for key in new})
    there = tuples(history.intervals(versions(spark, before), SOURCE))

    rows = history.folded(versions(spark, new), spark.createDataFrame(there, INTERVALS), lambda: every, SOURCE)

    folded = {(row["id"], row["__START_AT"]): () if row[GONE] else tuple(row)[:-1] for row in rows.collect()}
    merged = [row for row in there if (row[0], row[7]) not in folded] + [row for row in folded.values() if row]
    assert sorted(merged, key=repr) == tuples(history.intervals(every, SOURCE))


def test_an_audit_sees_what_is_wrong_with_a_history(spark: SparkSession, use_case: MakeUseCase) -> None:
    [derivation] = history.derivations(use_case(CUSTOMERS).settings, "customers")
    keys: dict[str, Sequence[Version]] = {"1": [(None, "a", 1), (1, "b", 1)], "2": [(None, "a", 1), (2, "b", 1)]}
    expected = history.intervals(versions(spark, keys), SOURCE)
    wrong = expected.replace({1: 3}, subset="__END_AT")

    assert audit.unlike_intervals(derivation, expected, wrong) == [
        "silver.customers_history: 1 interval with other values than bronze gives: id=1, __START_AT=null"
    ]


CUSTOMERS = """
sources:
  customers:
    path: customers/*.csv
    key: id
    latest_by: [changed_at]
    history: true
    columns: {id: int, city: string, changed_at: date}
    expect: {city_is_known: "city <> '?'"}
"""
BRONZE = (
    "id string, city string, changed_at string, _corrupt_record string, _source_file string, "
    "_source_modified_at timestamp, _ingested_at timestamp"
)
SHOWN = ("id", "city", "string(__START_AT)", "string(__END_AT)", "string(_last_seen_at)", "_source_file")


def file(day: int, *rows: tuple[str, str, str]) -> list[tuple[Any, ...]]:
    """Bronze rows of a file of that day of May 2024; rows as (id, city, day of January)."""
    at = datetime(2024, 5, day, tzinfo=timezone.utc)
    return [(id, city, f"2024-01-{january}", None, f"file{day}", at, at) for id, city, january in rows]


def derive(case: UseCase) -> tuple[str, int]:
    """What a run does, and how many rows it writes; after it the table is what a rebuild would make."""
    [derivation] = history.derivations(case.settings, "customers")
    outcome = case.engine().derive(derivation)
    anew = derivation.compute({derivation.inputs[0]: case.lakehouse.read(derivation.inputs[0])})
    assert case.rows("silver.customers_history") == tuples(anew)
    return outcome.action, outcome.rows_out


def test_after_each_arrival_it_is_what_a_rebuild_makes(use_case: MakeUseCase) -> None:
    case = use_case(CUSTOMERS)
    first = file(1, ("1", "Bonn", "02"), ("1", "Bonn", "08"), ("2", "Rome", "05"), ("3", "Oslo", "05"))
    case.write("bronze.customers", first, BRONZE)
    assert derive(case) == ("created", 3)

    # A new version, a row that breaks a rule, a late one inside what was one interval, an older file's, one before all.
    third = file(3, ("2", "Paris", "09"), ("3", "?", "09"), ("1", "Kiel", "04")) + file(1, ("1", "Jena", "04"))
    case.append("bronze.customers", third + file(2, ("3", "Turku", "01")), BRONZE)
    assert derive(case) == ("updated", 6)
    # A correction that makes three intervals one; what was delivered before.
    case.append("bronze.customers", file(5, ("1", "Bonn", "04")) + file(2, ("3", "Turku", "01")), BRONZE)
    assert derive(case) == ("updated", 3)

    assert case.rows("silver.customers_history", *SHOWN) == [
        (1, "Bonn", "2024-01-02", None, "2024-01-08", "file1"),
        (2, "Paris", "2024-01-09", None, "2024-01-09", "file3"),
        (2, "Rome", "2024-01-05", "2024-01-09", "2024-01-05", "file1"),
        (3, "Oslo", "2024-01-05", None, "2024-01-05", "file1"),
        (3, "Turku", "2024-01-01", "2024-01-05", "2024-01-01", "file2"),
    ]


def test_a_start_that_is_no_time_is_told(use_case: MakeUseCase) -> None:
    case = use_case(CUSTOMERS.replace("changed_at: date", "changed_at: upper(changed_at)"))
    source = case.settings.pipeline.sources["customers"]
    bronze = case.spark.createDataFrame(file(1), BRONZE)
    with pytest.raises(ConfigurationError, match=r"sources\.customers\.latest_by\n  found:    changed_at, .* string"):
        history.versions(bronze, "customers", source)
