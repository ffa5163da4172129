"""A file that cannot be read is recorded with the reason, and stops none of the good files beside it."""

from __future__ import annotations

import gzip
import io
import random
import re
from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pytest
from conftest import MakeUseCase, UseCase, tuples
from pyspark.errors import PySparkException

from lakeloop import bronze, rejected, silver
from lakeloop.derive import Outcome
from lakeloop.errors import DataError, MachineError
from lakeloop.governance import audit
from lakeloop.sifting import Unreadable, sift

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def cut(lines: bytes) -> bytes:
    """A gzip file of which the second half did not arrive."""
    noise = random.Random(0).randbytes(40_000).hex().encode()
    return gzip.compress(lines + noise)[:20_000]


def parquet(rows: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    return file.getvalue()


def orders(use_case: MakeUseCase, files: dict[str, bytes], settings: str = "") -> UseCase:
    case = use_case(f"sources: {{orders: {{path: orders/*, key: id, columns: {{id: int, value: int}}, {settings}}}}}")
    land(case, files)
    return case


def land(case: UseCase, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        case.land(f"orders/{name}", "").write_bytes(content)


def ingest(case: UseCase, run: str = "test") -> Outcome:
    return bronze.ingest(case.engine(run=run), "orders", NOW)


def recorded(case: UseCase) -> list[tuple[str, str]]:
    return [(row.file.rpartition("/")[2], row.reason) for row in rejected.of_source(case.lakehouse, "orders")]


def sifted(case: UseCase) -> tuple[list[str], dict[str, Unreadable]]:
    """The files that can be read, and those that cannot, by name; no table is made."""
    source = case.settings.pipeline.sources["orders"]
    path = case.settings.raw_files("orders")
    found = sift(bronze._files(case.spark.read.format("binaryFile").load(path), source, path), [], True)
    readable = sorted(name.rpartition("/")[2] for part in found.readable for name in part.paths)
    return readable, {one.file.path.rpartition("/")[2]: one for one in found.unreadable}


def test_good_files_beside_unreadable_ones_are_ingested_once(use_case: MakeUseCase) -> None:
    case = orders(
        use_case,
        {
            "a.csv": b"id,value\n1,10\n",
            "b.csv.gz": cut(b"id,value\n2,20\n"),
            "empty.csv": b"",
            "header.csv": b"id,value\n",
        },
    )

    outcome = ingest(case)
    assert (outcome.action, outcome.version, outcome.rows_out) == ("created", 0, 1)
    assert outcome.reason == "1 file rejected: b.csv.gz (EOFException: Unexpected end of input stream)"

    land(case, {"c.csv.gz": b"no gzip at all"})
    outcome = ingest(case, "second")
    assert (outcome.action, outcome.version) == ("unchanged", 0)
    assert outcome.reason == "1 file rejected: c.csv.gz (IOException: not a gzip file)"
    assert [name for name, _ in recorded(case)] == ["b.csv.gz", "c.csv.gz"]
    assert case.rows("bronze.orders", "id", "value") == [("1", "10")]

    for derivation in silver.derivations(case.settings, "orders"):
        case.engine().derive(derivation)
    found = audit.audit(case.lakehouse, "orders", "conf/shop")
    assert (found.bronze, found.difference, found.problems) == (1, 0, ())
    assert found.files.counts == {"ingested": 1, "empty": 2, "rejected": 2}
    assert [re.split(r": file| \(", note)[0] for note in found.notes] == ["2 files without a row", "2 files rejected"]


def test_files_of_which_none_can_be_read_are_told_and_tried_again(use_case: MakeUseCase) -> None:
    case = orders(use_case, {"a.csv.gz": cut(b"id,value\n1,10\n"), "b.csv.gz": cut(b"id,value\n2,20\n")})

    for _ in range(2):
        with pytest.raises(DataError, match=r"^sources\.orders: no file .* 2 files rejected: a\.csv\.gz \(EOF"):
            ingest(case)
    assert [name for name, _ in recorded(case)] == ["a.csv.gz", "b.csv.gz"]

    # What was wrong may have been the configuration, or a file is mended where it lies.
    land(case, {"a.csv.gz": gzip.compress(b"id,value\n1,10\n")})
    assert ingest(case).rows_out == 1


@pytest.mark.classic("there the batch is written by a process of its own, in which nothing can be patched")
def test_a_batch_that_is_tried_again_records_a_file_once(
    use_case: MakeUseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = orders(use_case, {"b.csv": b"id,value\n2,20\n", "c.csv.gz": cut(b"id,value\n3,30\n")})

    def full(*arguments: object, **options: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("lakeloop.tables.Lakehouse.batch_writer", full)
        with pytest.raises(MachineError, match="the disk is full"):
            ingest(case)
    assert ingest(case).rows_out == 1
    assert [name for name, _ in recorded(case)] == ["c.csv.gz"]
    assert case.rows("bronze.orders", "id") == [("2",)]

    # Where all files can be read it is not they that fail.
    land(case, {"d.csv": b"id,value\n4,40\n"})
    with monkeypatch.context() as patched:
        patched.setattr("lakeloop.tables.Lakehouse.batch_writer", full)
        with pytest.raises(MachineError, match="the disk is full"):
            ingest(case)
    assert len(recorded(case)) == 1


def test_parquet_files_that_are_none_that_are_cut_and_whose_pages_are_broken(use_case: MakeUseCase) -> None:
    good = parquet({"id": list(range(1000)), "value": [f"text {number}" for number in range(1000)]})
    files = {
        "good.parquet": good,
        "other.parquet": parquet({"id": ["x"], "more": [0.5]}),
        "junk.parquet": random.Random(0).randbytes(1000),
        "cut.parquet": good[: len(good) // 2],
        "broken.parquet": good[:4] + b"\xff" * 400 + good[404:],
    }
    case = orders(use_case, files, "format: parquet")

    readable, unreadable = sifted(case)

    assert readable == ["good.parquet", "other.parquet"]
    assert sorted(unreadable) == ["broken.parquet", "cut.parquet", "junk.parquet"]
    assert unreadable["junk.parquet"].reason.startswith("RuntimeException: the file is not a Parquet file")


def test_what_is_no_text_is_no_csv(use_case: MakeUseCase) -> None:
    good = b"id,value\n1,10\n"
    case = orders(use_case, {"a.csv": good, "b.csv": bytes(range(256)) * 20, "c.csv": good.decode().encode("utf-16")})

    readable, unreadable = sifted(case)

    assert readable == ["a.csv"]
    assert {one.reason[:45] for one in unreadable.values()} == {"the header has characters that no text has: t"}
    assert bronze.read(case.lakehouse, "orders", NOW).count() == 1


def test_lines_of_any_length_and_number_of_fields_are_kept(use_case: MakeUseCase) -> None:
    long, many = "x" * 10_000_000, "4" + ",5" * 3_000
    case = orders(use_case, {"a.csv": f"id,value\n1,10\n2,{long}\n3\n{many}\n".encode()})

    found = bronze.read(case.lakehouse, "orders", NOW)

    short = ("id", "left(value, 5)", "length(value)", "length(_corrupt_record)")
    assert tuples(found.selectExpr(*short)) == [
        ("1", "10", 2, None), ("2", "xxxxx", 10_000_000, None), ("3", None, None, 1), ("4", "5", 1, len(many)),
    ]  # fmt: skip


def test_a_reason_that_is_none_of_the_file_is_raised(use_case: MakeUseCase) -> None:
    case = orders(use_case, {"a.csv": b"id,value\n1,10\n"})
    missing = case.spark.read.format("binaryFile").load(case.settings.raw_files("orders"))
    source = case.settings.pipeline.sources["orders"]
    files = bronze._files(missing, source, "/none")
    assert files is not None
    case.land("orders/a.csv", "").unlink()

    with pytest.raises(PySparkException):
        sift(files, [], True)
