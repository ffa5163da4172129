"""What raw files are is found in their first bytes: format, delimiter, header, encoding."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeloop.errors import DataError
from lakeloop.onboarding.dialect import dialect
from lakeloop.onboarding.files import encoding, look

ROWS = "id{0}name{0}amount\n1{0}ann{0}2.5\n2{0}bob{0}3.5\n"


@pytest.mark.parametrize("sign", [",", ";", "|", "\t"])
def test_the_delimiter_is_the_one_that_parts_all_rows_alike(sign: str) -> None:
    assert dialect(ROWS.format(sign)).delimiter == sign


def test_a_decimal_comma_is_no_delimiter() -> None:
    assert dialect("a;b\n1,5;2,5\n3,5;4,5\n").delimiter == ";"


def test_of_two_that_part_all_rows_alike_the_one_that_parts_more_is_taken() -> None:
    assert dialect("name, first;town;age\nDoe, Ann;Rome;3\nRoe, Bob;Oslo;4\n").delimiter == ";"


def test_commas_in_quotes_part_nothing() -> None:
    found = dialect('name;note\nann;"a, b, c"\nbob;"d, e, f"\n')
    assert (found.delimiter, found.first) == (";", ("name", "note"))


def test_a_single_column_has_the_usual_delimiter() -> None:
    assert dialect("amount\n1\n2\n").delimiter == ","


def test_single_spaces_part_values_but_no_words() -> None:
    found = dialect("popul age vote\n0 36 1\n190 20 0\n")
    assert (found.delimiter, found.header, found.first) == (" ", True, ("popul", "age", "vote"))
    quoted = dialect("'OBS' 'G P A'\n1 2.66\n2 2.89\n")
    assert (quoted.delimiter, quoted.quote, quoted.first) == (" ", "'", ("OBS", "G P A"))
    assert dialect("full name\nann lee\nbob ray\n").delimiter == ","
    assert dialect("note\nten 10\nmore than 20\n").delimiter == ","


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b\n1,2\n3,4\n", True),
        ("1,2\n3,4\n", False),
        ("39, State-gov, 77516\n50, Self-emp, 83311\n", False),
        ("name,town\nann,rome\nbob,oslo\n", True),
        ("ann,rome\nbob,rome\nann,oslo\n", False),
        (",amount\n0,1.5\n1,2.5\n", True),
        ("day,2019,2020\nmon,1.5,2.5\n", True),
        ("mon,2019,2020\ntue,2018,1999\n", False),
        ("mon,20.5,30.5\ntue,1.5,2.5\n", False),
        ("2024-01-01,x\n2024-01-02,y\n", False),
        ("name,amount\n", True),
    ],
)
def test_a_header_is_unlike_the_values_below_it(text: str, header: bool) -> None:
    assert dialect(text).header is header


def test_what_spark_must_be_told_of_quotes_and_lines() -> None:
    found = dialect('id,note\n1,"she said ""yes"" twice"\n2,"two\nlines"\n')
    assert (found.escaped, found.lines, found.padded) == (True, True, False)
    assert dialect("id, note\n1, 'a'\n").padded
    assert dialect("id,note\n1,'a, b'\n2,'c'\n").quote == "'"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"a,b\n1,2\n", "UTF-8"),
        ("pr\u00e9nom\n".encode(), "UTF-8"),
        ("\ufeffa,b\n".encode(), "UTF-8"),
        ("pr\u00e9nom\n".encode("latin-1"), "ISO-8859-1"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16LE"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16BE"),
        ("\u00e9".encode()[:1].join([b"a" * 9, b""]), "UTF-8"),
    ],
)
def test_the_encoding_is_told_as_spark_names_it(head: bytes, name: str) -> None:
    assert encoding(head) == name


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    contents = {
        "plain.csv": (ROWS.format(",").encode(), "csv", {}),
        "tabs.txt": (ROWS.format("\t").encode(), "csv", {"sep": "\t"}),
        "packed.csv.gz": (gzip.compress(ROWS.format(";").encode()), "csv", {"sep": ";"}),
        "lines.json": (b'{"a": 1}\n{"a": 2}\n', "json", {}),
        "array.json": (b'[{"a": 1},\n {"a": 2}]', "json", {"multiLine": True}),
        "pretty.json": (b'{\n  "a": 1\n}', "json", {"multiLine": True}),
        "columns.data": (b"PAR1....", "parquet", {}),
        "bare.csv": (b"1;x\n2;y\n", "csv", {"sep": ";", "header": False}),
        "wide.csv": ("a,b\n1,2\n".encode("utf-16"), "csv", {"encoding": "UTF-16", "multiLine": True}),
    }
    for name, (content, format_, options) in contents.items():
        (tmp_path / name).write_bytes(content)
        found = look(str(tmp_path / name))
        assert (found.path, found.format, found.options) == (str(tmp_path / name), format_, options), name


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["harbour_2024-01-01.csv", "old-town_2024-01-01.csv", "harbour_2024-01-02.csv"], ("harbour", "old-town")),
        (["store_1_2024_01_20.csv", "store_2_2024_01_20.csv"], ("store_1", "store_2")),
        (["2024-01-01-north.csv", "2024-01-01-south.csv"], ("north", "south")),
        (["north/2024-01.csv", "south/2024-01.csv"], ("north", "south")),
        (["north.csv", "south.csv"], ("north", "south")),
        (["2024-01.csv", "2024-02.csv"], ()),
        (["sales_20240101T1030.csv", "sales_20240102T1030.csv"], ()),
        (["day=2024-01-01/part-0.csv", "day=2024-01-02/part-0.csv"], ()),
        (["part-00000-a1.csv", "part-00001-b2.csv"], ()),
        (["1.csv", "2.csv"], ()),
    ],
)
def test_words_by_which_names_differ_tell_series(tmp_path: Path, names: list[str], words: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(ROWS.format(","), encoding="utf-8")
    found = look(str(tmp_path))
    assert found.words == words
    for name in names if words else ():
        match = re.search(found.series, f"file://{tmp_path}/{name}")
        assert match and match.group(1) in words


def test_times_in_nanoseconds_are_known(tmp_path: Path) -> None:
    at = pa.array([1], pa.timestamp("ns"))
    inner = pa.StructArray.from_arrays([at, pa.array([1])], ["at", "n"])
    table = pa.table({"at": at, "there": inner, "plain": pa.array([1], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "a.parquet")
    assert look(str(tmp_path / "a.parquet")).nanos == ("at", "there.at")


def test_what_a_mark_says_of_the_encoding_is_sure(tmp_path: Path) -> None:
    for name, written in (("sure.csv", "utf-16"), ("guess.csv", "latin-1")):
        (tmp_path / name).write_bytes("a,b\n1,é\n".encode(written))
    assert look(str(tmp_path / "sure.csv")).notes == []
    assert "read as ISO-8859-1" in look(str(tmp_path / "guess.csv")).notes[0]


def test_columns_without_a_header_are_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("1;x\n2;y\n", encoding="utf-8")
    assert "no header" in look(str(tmp_path / "bare.csv")).notes[0]


def test_a_folder_is_taken_whole_or_by_a_pattern(tmp_path: Path) -> None:
    for name in ("2024/a.csv", "2024/b.csv", "2024/_SUCCESS", "2024/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(ROWS.format(","), encoding="utf-8")
    assert look(str(tmp_path / "2024")).path == str(tmp_path / "2024")
    assert look(str(tmp_path)).path == str(tmp_path / "*/*")
    assert look(str(tmp_path / "2024/*.csv")).size == 2
    (tmp_path / "2024" / "readme.md").write_text("# words", encoding="utf-8")
    found = look(str(tmp_path / "2024"))
    assert (found.path, found.size) == (str(tmp_path / "2024/*.csv"), 2)


@pytest.mark.parametrize(
    ("files", "given", "told"),
    [
        ({}, "none.csv", "there is no such file"),
        ({"a.csv": b""}, "a.csv", "all files are empty"),
        ({"a.xlsx": b"PK\x03\x04.."}, "a.xlsx", "an Excel workbook"),
        ({"a.csv": gzip.compress(b"a,b\n")}, "a.csv", "add .gz"),
        ({"day.csv": b"a,b\n1,2\n", "hour.csv": b"a,c\n1,2\n"}, ".", "day.csv and hour.csv have different columns"),
    ],
)
def test_files_that_cannot_be_taken_are_told_in_words(
    tmp_path: Path, files: dict[str, bytes], given: str, told: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told):
        look(str(tmp_path / given))
