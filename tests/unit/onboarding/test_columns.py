"""What was counted of a column decides its type, its expression and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import types as T

from lakeloop.onboarding.columns import Leaf, Seen, leaves, understood
from lakeloop.onboarding.names import quoted
from lakeloop.onboarding.written import date_patterns
from lakeloop.rawcolumns import RAW_NAME


def leaf(name: str = "x", raw: str = "") -> Leaf:
    return Leaf(raw or name, quoted(raw or name), name, T.StringType())


def counted(present: int = 100, missing: dict[str, int] | None = None, **passed: int) -> Seen:
    return Seen(100, present, 0, present, passed, missing or {}, "odd")


@pytest.mark.parametrize(
    ("seen", "type_", "text"),
    [
        (counted(number=100, int=100, bigint=100, thousands=100, comma=100), "int", "int"),
        (counted(number=100, int=90, bigint=100, thousands=100), "bigint", "bigint"),
        (counted(number=100, int=90, bigint=90, thousands=100), "double", "double"),
        (counted(number=100, int=100, bigint=100, code=3), "string", "string"),
        (counted(boolean=100), "boolean", "boolean"),
        (counted(date=100), "date", "date"),
        (counted(date=40, timestamp=60), "timestamp", "timestamp"),
        (counted(number=50), "string", "string"),
        (counted(number=30, thousands=100), "double", "try_cast(regexp_replace(`x`, '[$€£%, ]', '') as double)"),
        (
            counted(**{"decimal comma": 100, "comma": 100}),
            "double",
            "try_cast(replace(replace(`x`, '.', ''), ',', '.') as double)",
        ),
        (counted(comma=100), "double", "try_cast(replace(regexp_replace(`x`, '[$€£%. ]', ''), ',', '.') as double)"),
        (counted(**{"d/M/yyyy": 100, "M/d/yyyy": 40}), "date", "cast(try_to_timestamp(`x`, 'd/M/yyyy') as date)"),
        (counted(**{"d.M.yyyy H:mm": 100}), "timestamp", "try_to_timestamp(`x`, 'd.M.yyyy H:mm')"),
    ],
)
def test_a_column_has_the_type_that_its_values_have(seen: Seen, type_: str, text: str) -> None:
    [column], missing = understood([leaf()], [seen])
    assert (column.type, column.text, missing) == (type_, text, [])


def test_a_name_that_needs_care_gets_an_expression() -> None:
    columns, _ = understood([leaf("a_b", "a.b"), leaf("c_d", "c.d")], [counted(number=100, int=100), counted()])
    assert [column.text for column in columns] == ["try_cast(`a.b` as int)", "`c.d`"]


def test_some_values_that_are_no_numbers_are_told_with_the_commonest() -> None:
    [column], _ = understood([leaf()], [counted(number=99, int=99, bigint=99)])
    assert column.known == 99
    assert (column.type, column.notes) == (
        "int", ("1 of 100 values are not ('odd'): their rows go to quarantine",)
    )  # fmt: skip


def test_a_word_that_comes_again_among_many_numbers_becomes_null() -> None:
    survey = replace(counted(), passed={"decimal comma": 90, "comma": 90}, distinct=9, word="k.A.", words=10)
    whole = replace(survey, passed={"number": 90, "int": 90, "bigint": 90}, distinct=60)
    few = replace(whole, distinct=9)
    mixed = replace(whole, passed={"number": 80, "int": 80, "bigint": 80})
    columns, missing = understood([leaf("a"), leaf("b"), leaf("c"), leaf("d")], [survey, whole, few, mixed])
    assert missing == []
    assert [(column.type, column.text, column.known) for column in columns] == [
        ("double", "try_cast(replace(replace(`a`, '.', ''), ',', '.') as double)", 90),
        ("int", "try_cast(`b` as int)", 90),
        ("string", "string", 100),
        ("string", "string", 100),
    ]
    assert columns[1].notes == ("10 of 100 values are not ('k.A.'): they become null",)


def test_nanoseconds_that_come_as_whole_numbers_are_a_time() -> None:
    at = Leaf("at", "`at`", "at", T.LongType(), nanos=True)
    [column], _ = understood([at], [counted()])
    assert (column.type, column.text) == ("timestamp", "timestamp_micros(`at` div 1000)")


def test_a_text_for_missing_is_believed_beside_numbers_and_not_beside_words() -> None:
    seen = [counted(number=90, int=90, bigint=90, missing={"-": 10}), counted(missing={"?": 5, "unknown": 7})]
    columns, missing = understood([leaf("x"), leaf("y")], seen)
    assert missing == ["-", "?"]
    assert [column.text for column in columns] == ["int", "string"]
    assert [column.known for column in columns] == [90, 95]


def test_a_text_that_is_a_word_elsewhere_is_made_null_by_an_expression() -> None:
    seen = [counted(number=90, int=90, bigint=90, missing={"None": 10}), counted(missing={"None": 30})]
    columns, missing = understood([leaf("x"), leaf("y")], seen)
    assert missing == []
    assert [column.text for column in columns] == ["try_cast(`x` as int)", "string"]
    assert columns[0].notes[-1] == "'None' is missing here, but a word in another column"


def test_two_orders_of_day_and_month_are_told_where_both_fit() -> None:
    [column], _ = understood([leaf()], [counted(**{"d/M/yyyy": 100, "M/d/yyyy": 100})])
    assert column.notes == ("could as well be M/d/yyyy",)


@pytest.mark.parametrize(
    ("values", "patterns"),
    [
        (["01/02/2024", "3/4/2024"], ["d/M/yyyy", "M/d/yyyy"]),
        (["31.12.2024 23:59"], ["d.M.yyyy H:mm"]),
        (["2024/12/31 11:59:00 PM"], ["yyyy/M/d h:mm:ss a"]),
        (["20241231"], ["yyyyMMdd"]),
        (["Jan 1 2000", "Feb 12 2000"], ["MMM d yyyy"]),
        (["January 1, 2000", "May 2, 2000", "July 3, 2000"], ["MMMM d, yyyy"]),
        (["1 January 2000"], ["d MMMM yyyy"]),
        (["2024-12-31", "12", "north"], []),
    ],
)
def test_dates_that_are_not_iso_are_known_by_their_look(values: list[str], patterns: list[str]) -> None:
    assert date_patterns(values) == patterns


def test_fields_inside_structs_are_columns_and_arrays_are_left_out() -> None:
    city = T.StructType([T.StructField("city", T.StringType()), T.StructField("tags", T.ArrayType(T.StringType()))])
    schema = T.StructType([T.StructField("id", T.LongType()), T.StructField("home", city)])
    found, left = leaves(schema)
    assert [(item.name, item.sql) for item in found] == [("id", "`id`"), ("home_city", "`home`.`city`")]
    assert left == ["home.tags"]


def test_an_object_of_objects_is_a_map_and_left_out() -> None:
    skin = T.StructType([T.StructField("image", T.StringType())])
    skins = T.StructType([T.StructField(f"1F3F{letter}", skin) for letter in "BCDEF"])
    found, left = leaves(T.StructType([T.StructField("name", T.StringType()), T.StructField("skins", skins)]))
    assert ([item.name for item in found], left) == (["name"], ["skins"])


def test_a_column_is_called_as_the_files_call_it() -> None:
    def field(name: str, raw: str) -> T.StructField:
        return T.StructField(name, T.StringType(), metadata={RAW_NAME: raw})

    given = [field("Body_Mass_g_", "Body Mass (g)"), field("A_b", "A b"), field("a_B_2", "a B"), field("n", "n")]
    found, _ = leaves(T.StructType(given))
    columns, _ = understood(found, [counted(number=100, double=100)] * 4)
    # Where two differ in case alone, their names in the files tell them apart no more.
    assert {column.name: column.text for column in columns} == {
        "body_mass_g": "try_cast(`Body Mass (g)` as double)",
        "a_b": "try_cast(`A_b` as double)",
        "a_b_2": "try_cast(`a_B_2` as double)",
        "n": "double",
    }
