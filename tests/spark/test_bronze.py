"""Raw files come into bronze once each, whole, and whatever their age; what cannot be read is said."""

from __future__ import annotations

from datetime import datetime, timezone

import pandas as pd
import pytest
from conftest import MakeUseCase, UseCase

from lakeloop import bronze
from lakeloop.derive import Outcome
from lakeloop.errors import DataError

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def ingest(case: UseCase, name: str = "orders") -> Outcome:
    return bronze.ingest(case.engine(), name, NOW)


def orders(use_case: MakeUseCase, format: str = "csv") -> UseCase:
    return use_case(f"sources: {{orders: {{path: orders/*, format: {format}, key: id}}}}")


def test_a_csv_line_that_does_not_parse_keeps_its_text(use_case: MakeUseCase) -> None:
    case = orders(use_case)
    case.land("orders/a.csv", "id,value\n1,10\n2,20,surplus\n3,\n", datetime(2024, 4, 1, tzinfo=timezone.utc))

    outcome = ingest(case)

    assert (outcome.action, outcome.version, outcome.rows_in, outcome.rows_out) == ("created", 0, 3, 3)
    frame = case.lakehouse.read(outcome.table)
    assert frame.columns == [
        "id",
        "value",
        "_corrupt_record",
        "_source_file",
        "_source_modified_at",
        "_ingested_at",
    ]
    assert frame.schema["value"].dataType.typeName() == "string"
    assert case.rows("bronze.orders", "id", "_corrupt_record") == [
        ("1", None),
        ("2", "2,20,surplus"),
        ("3", None),
    ]
    file = "regexp_extract(_source_file, '[^/]+/[^/]+$', 0)"
    found = case.rows("bronze.orders", file, "string(_source_modified_at)", "string(_ingested_at)")
    assert set(found) == {("orders/a.csv", "2024-04-01 00:00:00", "2024-05-01 12:00:00")}


def test_a_second_run_reads_new_files_alone_in_one_commit(use_case: MakeUseCase) -> None:
    case = orders(use_case)
    case.land("orders/a.csv", "id,value\n1,10\n")
    ingest(case)

    again = ingest(case)
    assert (again.action, again.version, again.rows_out) == ("unchanged", 0, 0)

    # The second of the two is far older than all that was seen: a copy can keep its date.
    case.land("orders/b.csv", "id,value\n2,20\n")
    case.land("orders/c.csv", "id,value\n3,30\n", datetime(2001, 1, 1, tzinfo=timezone.utc))
    outcome = ingest(case)

    assert (outcome.action, outcome.version, outcome.rows_out) == ("updated", 1, 2)
    assert case.rows("bronze.orders", "id", "value") == [("1", "10"), ("2", "20"), ("3", "30")]


def test_a_source_may_be_one_file(use_case: MakeUseCase) -> None:
    case = use_case("sources: {orders: {path: orders/a.csv, key: id}}")
    case.land("orders/a.csv", "id,value\n1,10\n")
    case.land("orders/b.csv", "id,value\n2,20\n")
    ingest(case)
    assert case.rows("bronze.orders", "id", "value") == [("1", "10")]


def test_json_lines_are_texts_and_a_broken_line_is_kept(use_case: MakeUseCase) -> None:
    case = orders(use_case, "json")
    case.land("orders/a.json", '{"id": 1, "value": 1.50}\n{"id": 2, "value":\n')

    ingest(case)

    expected = [("1", "1.50", None), (None, None, '{"id": 2, "value":')]
    assert case.rows("bronze.orders", "id", "value", "_corrupt_record") == expected


def test_parquet_keeps_its_types(use_case: MakeUseCase) -> None:
    case = orders(use_case, "parquet")
    file = case.land("orders/a.parquet", "")
    pd.DataFrame({"id": [1, 2], "value": [0.5, None]}).to_parquet(file)
    ingest(case)
    pd.DataFrame({"id": [3], "value": [1.5]}).to_parquet(file.with_name("b.parquet"))

    ingest(case)

    assert case.rows("bronze.orders", "id", "value", "_corrupt_record") == [
        (1, 0.5, None),
        (2, None, None),
        (3, 1.5, None),
    ]


def test_columns_whose_names_have_spaces_are_read_again(use_case: MakeUseCase) -> None:
    case = orders(use_case)
    case.land("orders/a.csv", "id,unit price (EUR)\n1,10\n")
    ingest(case)
    case.land("orders/b.csv", "id,unit price (EUR)\n2,20\n")

    ingest(case)

    assert case.rows("bronze.orders", "id", "unit_price_EUR_") == [("1", "10"), ("2", "20")]


def test_a_file_with_another_header_stops_the_run_and_writes_nothing(use_case: MakeUseCase) -> None:
    case = orders(use_case)
    case.land("orders/a.csv", "id,value\n1,10\n")
    ingest(case)
    case.land("orders/b.csv", "value,id\n20,2\n")

    with pytest.raises(DataError, match=r"(?s)sources\.orders.*other columns.*b\.csv"):
        ingest(case)
    assert case.rows("bronze.orders", "id") == [("1",)]


@pytest.mark.parametrize("landed", [False, True])
def test_no_file_is_said_with_the_place_that_was_looked_at(use_case: MakeUseCase, landed: bool) -> None:
    case = orders(use_case)
    if landed:
        case.land("elsewhere/a.csv", "id\n1\n")

    with pytest.raises(DataError, match=r"sources\.orders\.path.*landing/orders/"):
        ingest(case)
