"""Raw files of every format and spelling become rows of texts, each column found by its name."""

from __future__ import annotations

import gzip
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase, tuples
from pyspark.sql import DataFrame

from lakeloop import bronze, silver
from lakeloop.errors import DataError

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
OWN = {"_corrupt_record", "_source_file", "_source_modified_at", "_ingested_at"}


def things(use_case: MakeUseCase, settings: str = "", path: str = "things/*") -> UseCase:
    return use_case(f"sources: {{things: {{path: '{path}', {settings}}}}}")


def land(case: UseCase, name: str, content: str | bytes) -> None:
    file = case.land(f"things/{name}", "")
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def read(case: UseCase) -> DataFrame:
    return bronze.read(case.lakehouse, "things", NOW)


def rows(case: UseCase, *columns: str) -> list[tuple[Any, ...]]:
    found = read(case)
    return tuples(found.selectExpr(*(columns or [f"`{name}`" for name in found.columns if name not in OWN])))


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ("sep: ';'", b"id;name\n1;a,b\n2;\n"),
        ("sep: \"\\t\"", b"id\tname\n1\ta,b\n2\t\n"),
        ("sep: '||'", b"id||name\n1||a,b\n2||\n"),
        ("quote: \"'\"", b"id,name\n1,'a,b'\n2,\n"),
        ("escape: '\"'", b'id,name\n1,"a,b"\n2,""\n'),
        ("", b'id,name\r\n1,"a,b"\r\n2,\r\n'),
        ("", b'id,name\r1,"a,b"\r2,\r'),
        ("", b'\xef\xbb\xbfid,name\n1,"a,b"\n2,\n'),
        ("encoding: UTF-16", 'id,name\r\n1,"a,b"\r\n2,\r\n'.encode("utf-16")),
        ("comment: '#'", b'# of today\nid,name\n1,"a,b"\n# no more\n2,\n'),
    ],
)  # fmt: skip
def test_csv_in_any_spelling(use_case: MakeUseCase, options: str, content: bytes) -> None:
    case = things(use_case, f"options: {{{options}}}")
    land(case, "a.csv", content)

    assert rows(case) == [("1", "a,b"), ("2", None)]


def test_csv_quotes_escapes_accents_and_lines_inside_a_value(use_case: MakeUseCase) -> None:
    case = things(use_case, "options: {escape: '\"', multiLine: true, encoding: latin-1}")
    land(case, "a.csv", 'id,"père"\r\n1,"two\nlines, ""quoted"""\r\n2,é\r\n'.encode("latin-1"))

    assert rows(case, "id", "`père`") == [("1", 'two\nlines, "quoted"'), ("2", "é")]


def test_a_file_of_windows(use_case: MakeUseCase) -> None:
    case = things(use_case, "options: {encoding: windows-1252}")
    land(case, "a.csv", "id,price\n1,5 €\n".encode("cp1252"))

    assert rows(case) == [("1", "5 €")]


def test_csv_without_a_header(use_case: MakeUseCase) -> None:
    named, unnamed = "names: [age, income, more]", "options: {header: false}"
    for settings, columns in ((named, ["age", "income", "more"]), (unnamed, ["_c0", "_c1"])):
        case = things(use_case, settings)
        land(case, "a.csv", "39,<=50K\n50,>50K\n")
        assert [name for name in read(case).columns if name not in OWN] == columns
        assert rows(case, *columns[:2]) == [("39", "<=50K"), ("50", ">50K")]


def test_gzipped_files_a_folder_with_days_and_marker_files(use_case: MakeUseCase) -> None:
    case = things(use_case, path="things")
    land(case, "day=2024-04-01/a.csv.gz", gzip.compress(b"id,name\n1,a\n"))
    land(case, "day=2024-04-02/b.csv", "id,name\n2,b\n")
    for marker in ("_SUCCESS", ".b.csv.crc", "_temporary.csv"):
        land(case, f"day=2024-04-02/{marker}", "not,a\nrow,\n")

    assert rows(case) == [("1", "a", "2024-04-01"), ("2", "b", "2024-04-02")]


def test_one_file_whose_name_says_something(use_case: MakeUseCase) -> None:
    name = "sales 100% {north} 2024-04.csv"
    case = things(
        use_case,
        "columns: {id: int, month: \"regexp_extract(_source_file, '([0-9-]+)[.]csv$', 1)\", "
        "region: \"regexp_extract(_source_file, '100% [{](.*)[}]', 1)\"}",
        f"things/{name.replace('{', '?').replace('}', '?')}",
    )
    land(case, name, "id\n1\n")

    found = silver.latest(read(case), case.settings.pipeline.sources["things"])
    assert tuples(found.select("id", "month", "region")) == [(1, "2024-04", "north")]


def test_csv_columns_are_found_by_name_in_files_of_different_headers(use_case: MakeUseCase) -> None:
    case = things(use_case, "columns: {id: int, value: int, note: string}")
    land(case, "a.csv", "id,value\n1,10\n2,20\n")
    land(case, "b.csv", "value,id\n30,3\n")
    land(case, "c.csv", '"Note",ID,value\nnew,4,40\n')
    land(case, "d.csv", "id\n5\nsurplus,5\n")
    land(case, "e.csv", "")

    found = read(case)

    assert [name for name in found.columns if name not in OWN] == ["id", "value", "Note"]
    assert tuples(found.select("id", "value", "Note", "_corrupt_record")) == [
        ("1", "10", None, None),
        ("2", "20", None, None),
        ("3", "30", None, None),
        ("4", "40", "new", None),
        ("5", None, None, None),
        ("surplus", None, None, "surplus,5"),
    ]


def test_names_with_spaces_dots_accents_and_names_that_clash(use_case: MakeUseCase) -> None:
    case = things(
        use_case,
        "columns: {total: \"cast(`unit price (EUR)` as double) * `n-1`\", where: '`address.city`', "
        "first: '`Name`', second: '`name_2`', third: '`größe`', fourth: '`a``b`'}",
    )
    land(case, "a.csv", "unit price (EUR),n-1,address.city,Name,name,,größe,a`b\n2.5,3,Bonn,A,B,x,5,6\n")
    land(case, "b.csv", "name,Name,größe\nD,C,7\n")

    found = read(case)
    typed = silver.latest(found, case.settings.pipeline.sources["things"])

    assert found.columns[:8] == ["unit_price_EUR_", "n-1", "address.city", "Name", "name_2", "_c5", "größe", "a`b"]
    assert tuples(typed.select("total", "where", "first", "second", "third", "fourth")) == [
        (7.5, "Bonn", "A", "B", "5", "6"),
        (None, None, "C", "D", "7", None),
    ]


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ("", '{"id": 1, "address": {"city": "Bonn", "zip": null}}\n{"id": 2, "tags": ["a"]}\n'),
        ("options: {multiLine: true}, ", '[{"id": 1,\n "address": {"city": "Bonn"}},\n {"id": 2, "tags": ["a"]}]'),
    ],
)
def test_json_lines_or_an_array_with_nested_fields(use_case: MakeUseCase, options: str, content: str) -> None:
    case = things(use_case, f"format: json, {options}columns: {{id: int, city: address.city, tag: 'tags[0]'}}")
    land(case, "a.json", content)

    found = silver.latest(read(case), case.settings.pipeline.sources["things"])
    assert tuples(found.select("id", "city", "tag")) == [(1, "Bonn", None), (2, None, "a")]


def test_lines_taken_apart_by_a_pattern(use_case: MakeUseCase) -> None:
    pattern = r"(?<client_ip>\S+) \[(?<at>[^\]]+)\] (GET|POST) (?<path>\S*) (?<status>\d{3})"
    settings = f"format: text, options: {{encoding: latin-1}}, pattern: '{pattern}', columns: {{status: int}}"
    case = things(use_case, settings)
    lines = "10.0.0.1 [1 May] GET /é 200\nnonsense\n10.0.0.2 [2 May] POST  404\n"
    land(case, "a.log.gz", gzip.compress(lines.encode("latin-1")))

    assert rows(case, "client_ip", "at", "path", "status", "_corrupt_record") == [
        ("10.0.0.1", "1 May", "/é", "200", None),
        ("10.0.0.2", "2 May", "", "404", None),
        (None, None, None, None, "nonsense"),
    ]
    kept_out = silver.quarantined(read(case), case.settings.pipeline.sources["things"])
    assert tuples(kept_out.select("_corrupt_record", "_failed_rules")) == [("nonsense", ["record_parses"])]


def test_parquet_files_whose_types_differ(use_case: MakeUseCase) -> None:
    case = things(use_case, "format: parquet, columns: {id: int, value: double}")
    folder = case.land("things/_", "").parent
    made = {
        "a": ([(1, 0.5)], "id bigint, value double"),
        "b": ([(2, 1.5), (3, None)], "id bigint, value double"),
        "c": ([("4", "2.5", "x"), ("5", "much", "y")], "id string, value string, more string"),
        # pandas writes whole numbers so, as soon as one of them is missing.
        "d": ([(6.0, 6.5), (7.5, 8.5)], "id double, value double"),
    }
    for name, (values, schema) in made.items():
        case.spark.createDataFrame(values, schema).coalesce(1).write.parquet(f"{folder}/{name}")
    case = things(use_case, "format: parquet, columns: {id: int, value: double}", "things/*/*.parquet")

    found = read(case)

    assert [field.dataType.simpleString() for field in found.schema][:3] == ["bigint", "double", "string"]
    assert tuples(found.select("id", "value", "more", "_corrupt_record")) == [
        (1, 0.5, None, None),
        (2, 1.5, None, None),
        (3, None, None, None),
        (4, 2.5, "x", None),
        (5, None, "y", '{"id":"5","value":"much","more":"y"}'),
        (6, 6.5, None, None),
        (None, 8.5, None, '{"id":7.5,"value":8.5}'),
    ]


def test_json_names_that_differ_in_case_alone_are_told(use_case: MakeUseCase) -> None:
    case = things(use_case, "format: json")
    land(case, "a.json", '{"Name": 1, "name": 2}\n')

    with pytest.raises(DataError, match=r"^sources\.things: no file .* a\.json \(two JSON fields .* \(`?name`?\)"):
        read(case)
