"""The label decides the task; a label that can teach nothing is refused in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import types as T

from lakeloop.errors import DataError
from lakeloop.onboarding.columns import Column, Leaf, Seen
from lakeloop.onboarding.identity import candidates, length, repeated, time_column, window
from lakeloop.onboarding.outcome import guessed, mended, merged, named, outcome, refuse


def column(name: str, type_: str = "string", distinct: int = 2, present: int = 100) -> Column:
    leaf = Leaf(name, f"`{name}`", name, T.StringType())
    return Column(leaf, type_, type_, Seen(100, present, distinct=distinct))


@pytest.mark.parametrize(
    ("label", "values", "task", "positive"),
    [
        (column("y"), {"Yes": 60, "No": 40}, "binary", "Yes"),
        (column("y"), {"up": 60, "down": 40}, "binary", "down"),
        (column("y", "int"), {"0": 60, "1": 40}, "binary", None),
        (column("y", "double"), {"0.0": 60, "1.0": 40}, "binary", None),
        (column("y", "int"), {"1": 60, "2": 40}, "binary", "2"),
        (column("y", "boolean"), {"true": 60, "false": 40}, "binary", None),
        (column("y", distinct=3), {"a": 60, "b": 20, "c": 20}, "multiclass", None),
        (column("y", "int", 4), {"1": 25, "2": 25, "3": 25, "4": 25}, "multiclass", None),
        (column("y", "int", 9), {}, "regression", None),
        (column("y", "double", 80), {}, "regression", None),
    ],
)
def test_the_task_follows_from_the_label(
    label: Column, values: dict[str, int], task: str, positive: str | None
) -> None:
    found = outcome(label, values)
    assert (found.task, found.positive) == (task, positive)


def test_rows_without_a_label_and_a_rare_class_are_told() -> None:
    found = outcome(column("y", distinct=3, present=90), {"a": 60, "b": 25, "c": 5})
    assert found.notes == (
        "10 of 100 rows have no label: they are predicted, not learnt from", "the rarest class has 5 rows",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (column("y", present=0), "no value in any row"),
        (column("y", distinct=1), "the same value in all rows"),
        (column("y", "date", 50), "a date cannot be predicted"),
        (replace(column("y", distinct=101), seen=Seen(101, 101, distinct=101)), "101 rows, as a key has"),
    ],
)
def test_a_label_that_can_teach_nothing_is_refused(label: Column, told: str) -> None:
    with pytest.raises(DataError, match=told):
        refuse(label)


def test_the_label_is_found_by_either_name_whatever_its_case() -> None:
    churn = Column(Leaf("Has Churned", "`Has_Churned`", "has_churned", T.StringType()), "string", "", Seen(9, 9))
    assert named([column("x"), churn], "has churned") is churn
    assert named([column("x"), churn], "has_churned") is churn
    with pytest.raises(DataError, match="did you mean 'Has Churned'"):
        named([column("x"), churn], "Has Churnd")


def test_a_label_of_files_without_a_header_is_a_place() -> None:
    with pytest.raises(DataError, match=r"no such column\. There are _c0, _c1 \(the files have no header"):
        named([column("_c0"), column("_c1")], "income")


def test_without_a_name_a_usual_one_is_taken_else_the_last() -> None:
    assert guessed([column("x"), column("target"), column("z")]).name == "target"
    assert guessed([column("x"), column("z"), column("one", distinct=1), column("day", "date")]).name == "z"


def test_classes_that_differ_by_a_last_dot_become_one() -> None:
    values = {"<=50K": 30, "<=50K.": 30, ">50K": 20, ">50K.": 20}
    label = mended(column("income", distinct=4), values)
    assert (label.text, label.distinct) == ("trim(TRAILING '.' FROM `income`)", 2)
    assert merged(values) == {"<=50K": 60, ">50K": 40}
    plain = column("income", distinct=2)
    assert mended(plain, {"a": 1, "b": 1}) is plain


def test_names_of_ids_come_before_other_columns_and_pairs() -> None:
    columns = [
        column("first", "int", 100), column("count", "int", 100), column("hash", "string", 100),
        column("order_id", "int", 100), column("shop_id", "int", 5), column("paid", "int", 100),
    ]  # fmt: skip
    assert candidates(columns, None, "day") == [
        ("order_id",), ("first",), ("hash",), ("order_id", "day"), ("shop_id", "day"), ("order_id", "shop_id"),
    ]  # fmt: skip
    assert ("order_id",) not in candidates(columns, "order_id", None)


def test_what_has_rows_at_nearly_all_times_is_a_key_with_the_time() -> None:
    columns = [
        column("day", "date", 20), column("store", "string", 5), column("size", "int", 90),
        column("open", "string", 2), column("sold", "int", 5),
    ]  # fmt: skip
    assert candidates(columns, None, "day", "sold") == [("store", "day"), ("open", "day")]


def test_an_id_that_comes_in_several_rows_is_told_for_a_random_split() -> None:
    person, few, once = column("nr", "int", 50), column("shop_id", "int", 5), column("visit_id", "int", 100)
    assert repeated([person, few, once, column("wage", "int", 50)], set()) == "nr"
    assert repeated([person, few, once], {"nr"}) is None


def test_the_time_is_complete_varies_and_is_no_date_of_birth() -> None:
    birth, started = column("birth_date", "date", 80), column("started_at", "timestamp", 80)
    some, few = column("day", "date", 80, 90), column("month", "date", 3)
    assert time_column([birth, some, few, started], None) is started
    assert time_column([birth, some, few], None) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(10 * 86_400, "10 days"), (2.5 * 86_400, "60 hours"), (600, "10 minutes"), (2, "2 seconds")]
)
def test_a_length_is_in_a_unit_of_which_it_has_several(seconds: float, text: str) -> None:
    assert length(seconds) == text


@pytest.mark.parametrize(("daily", "name"), [(100, "1 day"), (24, "1 week"), (0.5, "1 month")])
def test_a_window_for_monitoring_has_enough_rows(daily: float, name: str) -> None:
    assert window(daily) == name
