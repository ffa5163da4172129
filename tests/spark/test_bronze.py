"""Raw files come into bronze once each, whole, and whatever their age; what cannot be read is said."""

from __future__ import annotations

from datetime import datetime, timezone

import pandas as pd
import pytest
from conftest import MakeUseCase, UseCase

from lakeloop import bronze, silver
from lakeloop.derive import Outcome
from lakeloop.errors import DataError
from lakeloop.tables import Table

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
    case.land("orders/a.csv", ",id,unit price (EUR)\n0,1,10\n")
    ingest(case)
    # The first column has no name, as where a data frame's index was written too.
    case.land("orders/b.csv", ",id,unit price (EUR)\n0,2,20\n")
    case.land("orders/c.csv", ",id,unit price (EUR)\n0,3,30\n")

    ingest(case)

    found = case.rows("bronze.orders", "id", "unit_price_EUR_", "_c0")
    assert found == [("1", "10", "0"), ("2", "20", "0"), ("3", "30", "0")]


def test_columns_come_go_and_change_places_in_one_commit(use_case: MakeUseCase) -> None:
    case = orders(use_case)
    case.land("orders/a.csv", "id,value\n1,10\n")
    ingest(case)
    derived = silver.derivations(case.settings, "orders")
    for item in derived:
        case.engine().derive(item)
    case.land("orders/b.csv", "value,note,id\n20,new,2\n25,new,,surplus\n")
    case.land("orders/c.csv", "id\n1\n")

    outcome = ingest(case)
    for item in derived:
        case.engine().derive(item)

    assert (outcome.action, outcome.version, outcome.rows_out) == ("updated", 1, 3)
    assert outcome.reason == "new columns: note; columns that files lack: note, value"
    columns = ("id", "value", "note")
    assert case.rows("bronze.orders", *columns, "_corrupt_record") == [
        ("1", "10", None, None), ("1", None, None, None), ("2", "20", "new", None),
        (None, "25", "new", "25,new,,surplus"),
    ]  # fmt: skip
    # What was derived before the column came has it too.
    assert case.rows("silver.orders", *columns) == [("1", None, None), ("2", "20", "new")]
    assert case.rows("quarantine.orders", *columns) == [(None, "25", "new")]


def test_fields_that_json_gets_later_are_added_and_those_inside_others(use_case: MakeUseCase) -> None:
    case = orders(use_case, "json")
    case.land("orders/a.json", '{"id": 1, "who": {"name": "A"}, "tags": ["x"]}\n')
    ingest(case)
    lines = '{"id": 2, "who": {"age": 3, "name": "B"}, "new": [1]}\n{"id": {"no": 3}, "tags": "y"}\n'
    case.land("orders/b.json", lines)

    ingest(case)

    assert case.rows("bronze.orders", "id", "who.name", "who.age", "new", "tags", "_corrupt_record") == [
        ("1", "A", None, None, ["x"], None),
        ("2", "B", "3", ["1"], None, None),
        ('{"no": 3}', None, None, None, None, '{"id": {"no": 3}, "tags": "y"}'),
    ]


def test_new_columns_can_be_a_reason_to_stop_or_be_kept_apart(use_case: MakeUseCase) -> None:
    def case(mode: str) -> UseCase:
        return use_case(f"sources: {{orders: {{path: orders/*, key: id, schema_evolution: {mode}}}}}")

    made = case("fail_on_new_columns")
    made.land("orders/a.csv", "id,value\n1,10\n")
    ingest(made)
    made.land("orders/b.csv", "id,value,note\n2,20,new\n3,30,\n")

    with pytest.raises(DataError, match=r"^sources\.orders: new files have columns .*: note\. Nothing was written"):
        ingest(made)
    assert made.version("bronze.orders") == 0

    ingest(case("rescue"))
    assert made.rows("bronze.orders", "id", "value", "_rescued_data") == [
        ("1", "10", None), ("2", "20", '{"note":"new"}'), ("3", "30", None),
    ]  # fmt: skip
    assert "note" not in made.lakehouse.read(Table("bronze", "orders")).columns


def test_a_delta_table_is_a_source(use_case: MakeUseCase) -> None:
    case = use_case("sources: {orders: {path: orders, format: delta}}")
    folder = case.settings.raw_files("orders")
    case.spark.createDataFrame([(1, "a"), (1, "a")], "id int, name string").write.format("delta").save(folder)
    ingest(case)
    more = case.spark.createDataFrame([(2, 0.5)], "id int, more double")
    more.write.format("delta").mode("append").option("mergeSchema", True).save(folder)

    outcome = ingest(case)

    assert (outcome.version, outcome.rows_out) == (1, 1)
    assert case.rows("bronze.orders", "id", "name", "more", "_source_file like '%/orders/part-%.parquet'") == [
        (1, "a", None, True), (1, "a", None, True), (2, None, 0.5, True),
    ]  # fmt: skip
    assert bronze.read(case.lakehouse, "orders", NOW).count() == 3


@pytest.mark.parametrize("landed", [False, True])
def test_no_file_is_said_with_the_place_that_was_looked_at(use_case: MakeUseCase, landed: bool) -> None:
    case = orders(use_case)
    if landed:
        case.land("elsewhere/a.csv", "id\n1\n")

    with pytest.raises(DataError, match=r"sources\.orders\.path.*landing/orders"):
        ingest(case)
