"""An audit accounts for every raw record, and sees a row that was lost, changed or doubled by hand."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples

from lakeloop import bronze, silver
from lakeloop.errors import LakeloopError
from lakeloop.governance import audit, files
from lakeloop.governance.account import SourceAudit

ORDERS = """
sources:
  orders:
    path: orders/*.csv
    key: id
    columns: {id: int, total: double}
    expect:
      total_is_positive: total > 0
      total_is_small: {rule: total < 1000, otherwise: drop}
      total_is_whole: {rule: total = floor(total), otherwise: warn}
"""
SCHEMA = (
    "id string, total string, _corrupt_record string, _source_file string, "
    "_source_modified_at timestamp, _ingested_at timestamp"
)
NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


def day(number: int) -> datetime:
    return datetime(2024, 4, number, tzinfo=timezone.utc)


def raw(*rows: tuple[str | None, str | None], modified: int = 1) -> list[tuple[Any, ...]]:
    """Bronze rows of one file of that day of April 2024."""
    return [(*row, None, f"file{modified}.csv", day(modified), NOW) for row in rows]


def account(case: UseCase) -> SourceAudit:
    return audit.audit(case.lakehouse, "orders", "conf/shop")


def derive(case: UseCase) -> None:
    for derivation in silver.derivations(case.settings, "orders"):
        case.engine().derive(derivation)


def test_every_row_is_accounted_for_and_what_is_done_by_hand_is_seen(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    case.land("orders/1.csv", "id,total\n1,1\n2,x\n3,9999\n1,1\n,\n4,1.5\n", day(1))
    case.land("orders/2.csv", "id,total\n1,2\n5,-1\n6,3\n", day(2))
    case.land("orders/empty ü.csv", "id,total\n")
    bronze.ingest(case.engine(), "orders", NOW)
    derive(case)
    case.land("orders/late.csv", "id,total\n2,1\n")

    found = account(case)
    assert (found.bronze, found.silver, found.superseded, found.quarantined, found.dropped) == (9, 3, 2, 3, 1)
    assert (found.dropped_by, found.warned_by) == ({"total_is_small": 1}, {"total_is_whole": 1})
    assert (found.difference, found.problems) == (0, ())
    assert found.files.counts == {"ingested": 2, "waiting": 1, "empty": 1}
    assert [note.split(": file:")[0] for note in found.notes] == [
        "1 file not ingested yet (run `lakeloop bronze conf/shop`)",
        "1 file without a row",
    ]

    # A lost row and one too many: the sum is as it was.
    case.sql("UPDATE {silver.orders} SET id = if(id = 6, 7, id), total = if(id = 1, 5.0D, total)")
    case.sql("DELETE FROM {quarantine.orders} WHERE id = '2'")
    case.append("bronze.orders", raw(("8", "8"), modified=3), SCHEMA)

    found = account(case)
    assert found.difference == 1
    assert [problem.split(", such as of")[0] for problem in found.problems] == [
        "9 rows in bronze, but 3 in silver, 2 superseded, 2 quarantined and 1 dropped: 1 nowhere",
        "1 key missing in silver: id=6",
        "1 key in silver that bronze does not give: id=7",
        "1 key with other values in silver than in their newest version in bronze: id=1",
        "quarantine.orders lacks 1 row (total_is_double)",
    ]
    assert found.notes[:2] == (
        "quarantine.orders is behind bronze (version 0 of 1): run `lakeloop silver conf/shop`",
        "silver.orders is behind bronze (version 0 of 1): run `lakeloop silver conf/shop`",
    )

    changed = use_case(ORDERS.replace("total > 0", "total > 1"))
    with pytest.raises(LakeloopError, match=r"quarantine\.orders was made by another .*run `lakeloop sil"):
        account(changed)


def test_a_key_that_is_there_twice_is_seen(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    source = case.settings.pipeline.sources["orders"]
    rows = case.spark.createDataFrame(raw(("1", "1"), ("4", "1.5"), ("1", "2")), SCHEMA)
    table = silver.latest(rows, source)

    found = audit.compare_keys(rows, table.unionByName(table.filter("id = 4")), source, ["id"])

    assert (found.expected, found.rows, found.differing, found.samples) == (2, 3, {"doubled": 1}, {"doubled": ["id=4"]})


def test_quarantine_is_compared_rule_by_rule_and_file_by_file(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    source = case.settings.pipeline.sources["orders"]
    rows = case.spark.createDataFrame(raw(("1", "x")) + raw(("2", "-1"), ("3", "-1"), modified=2), SCHEMA)
    held = silver.quarantined(
        case.spark.createDataFrame(raw(("1", "x")) + raw(("2", "-1"), ("3", "-1")), SCHEMA), source
    )

    found = audit.judge(rows, held, source)

    assert (found.rows, found.kept, found.quarantined, found.dropped, found.held) == (3, 0, 3, 0, 3)
    assert found.unlike == [
        "lacks 2 rows (total_is_positive), such as of file2.csv",
        "has 2 rows too many (total_is_positive), such as of file1.csv",
    ]


def test_each_raw_file_is_in_one_state(use_case: MakeUseCase) -> None:
    spark = use_case().spark
    schema = "_source_file string, _source_modified_at timestamp"
    names = ["a", "bad", "changed", "empty", "mended", "new"]
    landed = spark.createDataFrame([(f"file:/{name}", day(2 if name == "changed" else 1)) for name in names], schema)
    there = spark.createDataFrame(
        [(f"file:/{name}", day(1)) for name in ("a", "a", "changed", "gone", "mended")], schema
    )
    taken = spark.createDataFrame(
        [(f"file:///{name}",) for name in ("a", "bad", "changed", "empty", "empty", "gone", "mended", "once")],
        "_source_file string",
    )

    # A rejected file may have been read later, or be gone.
    bad = [(f"file:/{name}", day(1), "cut") for name in ("bad", "mended", "once")]
    rejected = spark.createDataFrame(bad, f"{schema}, reason string")

    assert tuples(files.states(landed, taken, there, rejected)) == [
        ("changed", "file:///changed", None), ("empty", "file:///empty", None), ("ingested", "file:///a", None),
        ("ingested", "file:///mended", None), ("rejected", "file:///bad", "cut"), ("removed", "file:///gone", None),
        ("waiting", "file:///new", None),
    ]  # fmt: skip
