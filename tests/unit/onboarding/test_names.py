"""Silver columns have names that SQL and YAML take as they are, each its own."""

from __future__ import annotations

import pytest

from lakeloop.onboarding.names import quoted, silver_names, snake, source_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Monthly Charges (USD)", "monthly_charges_usd"),
        ("hours-per.week", "hours_per_week"),
        ("Prénom", "prenom"),
        ("Größe", "grosse"),
        ("customerID", "customer_id"),
        ("HTTPStatus", "http_status"),
        ("2nd floor", "column_2nd_floor"),
        ("日本", "column"),
    ],
)
def test_snake_case_is_made_of_anything(text: str, name: str) -> None:
    assert snake(text) == name


def test_clean_names_stay_and_all_names_differ() -> None:
    raw = ["customerID", "a b", "a-b", "A_B", "_c4", "日本", "_source_file", "feature_date"]
    found = silver_names(raw, reserved=["_source_file", "feature_date"])
    assert found == ["customerID", "a_b_2", "a_b_3", "A_B", "column_5", "column_6", "source_file", "feature_date_2"]


def test_a_source_has_a_name_that_a_query_can_say() -> None:
    assert [source_name(stem) for stem in ("2024 Orders", "orders", "values")] == [
        "raw_2024_orders", "orders", "values_rows",
    ]  # fmt: skip


def test_a_backtick_in_a_name_is_doubled() -> None:
    assert quoted("a`b", "c") == "`a``b`.`c`"
