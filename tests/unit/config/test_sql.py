"""What a piece of Spark SQL says of itself; putting in table names leaves the rest of it alone."""

from __future__ import annotations

import pytest

from lakeloop.config.sql import Measure, Reference, columns_of, measure, references, template


def test_references_come_with_their_places_in_the_text() -> None:
    query = "select * from silver.orders o\njoin gold.days using (day)"
    assert references(query) == [
        Reference("silver", "orders", 14, 27),
        Reference("gold", "days", 35, 44),
    ]
    assert [query[item.start : item.end] for item in references(query)] == ["silver.orders", "gold.days"]


def test_names_that_are_no_tables_of_ours_are_no_references() -> None:
    query = "with recent as (select 1) select silver.x from recent, main.silver.orders, other.orders silver"
    assert references(query) == []


def test_tables_in_common_table_expressions_and_subqueries_are_found() -> None:
    query = "with a as (select * from silver.x) select * from a where id in (select id from gold.y)"
    assert [item.table for item in references(query)] == ["silver.x", "gold.y"]


def test_putting_in_names_leaves_comments_strings_and_layout_alone() -> None:
    query = (
        "-- from silver.orders, as it was\n"
        "SELECT 'silver.orders' AS source,   o.silver  /* silver.orders */\n"
        "FROM silver.orders AS o JOIN silver.orders AS p USING (id) JOIN gold.days USING (day)\n"
        "WHERE o.code RLIKE '[0-9]{2,3}' OR o.code = '{}'\n"
    )
    names = {"silver__orders": "delta.`/data/shop/silver/orders`", "gold__days": "main.shop.days"}
    assert template(query).format(**names) == (
        "-- from silver.orders, as it was\n"
        "SELECT 'silver.orders' AS source,   o.silver  /* silver.orders */\n"
        "FROM delta.`/data/shop/silver/orders` AS o JOIN delta.`/data/shop/silver/orders` AS p USING (id) "
        "JOIN main.shop.days USING (day)\n"
        "WHERE o.code RLIKE '[0-9]{2,3}' OR o.code = '{}'\n"
    )


def test_quoted_and_non_latin_text_does_not_shift_the_places() -> None:
    query = "select 'Gebühr — 🛩' as x from `silver`.`orders` where y = 'é'"
    assert template(query).format(silver__orders="t") == "select 'Gebühr — 🛩' as x from t where y = 'é'"


def test_sql_that_does_not_parse_is_told_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"^line 2, column \d+: "):
        references("select (1\nfrom silver.orders")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select a from silver.orders where", "line 1, column 29: 'where' lacks something beside it"),
        ("select avg(a from silver.orders", "line 1, column 14: 'from' is not followed by )"),
        ("select a b c from silver.orders", "line 1, column 12: 'c' is not expected here"),
        ("select 'a from silver.orders", "a quote or a comment is not closed"),
    ],
)
def test_what_the_parser_says_of_its_own_classes_is_not_told(query: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        references(query)
    assert str(caught.value) == told


def test_columns_of_an_expression_are_lower_case() -> None:
    assert columns_of("Arr_Delay > 15 and coalesce(t.carrier, 'dest') is not null") == {
        "arr_delay",
        "carrier",
    }
    assert columns_of("1 > 0") == set()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("avg(arr_delay > 15)", Measure("avg", "arr_delay > 15")),
        ("MEAN( x )", Measure("avg", "x")),
        ("count(*)", Measure("count", "1")),
        ("sum(coalesce(a, 0) * (b + 1))", Measure("sum", "coalesce(a, 0) * (b + 1)")),
        ("stddev_samp(x)", Measure("stddev", "x")),
        ("min(x)", Measure("min", "x")),
        ("max(x)", Measure("max", "x")),
    ],
)
def test_a_measure_is_one_aggregate(text: str, read: Measure) -> None:
    assert measure(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "median(x)",
        "avg(x) + 1",
        "avg(x) / avg(y)",
        "sum(x) - (y)",
        "avg(max(x))",
        "avg(x",
        "",
        "count(distinct x)",
    ],
)
def test_a_measure_that_cannot_be_kept_in_parts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="aggregate"):
        measure(text)
