"""Spark tells by a query's plan that it gives no key twice; where it cannot, the rows are looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakeloop import gold
from lakeloop.tables import Table

SHOP = """
sources:
  orders: {path: orders/*, key: [day, number], columns: {day: date, number: int, shop: string, total: double}}
  shops: {path: shops/*, key: shop, history: true, latest_by: since, columns: {shop: string, city: string, since: date}}
  visits: {path: visits/*, columns: {shop: string}}
gold:
  sales: {sql: sales.sql, key: [day, number]}
"""
ORDERS, SHOPS = "day date, number int, shop string, total double", "shop string, city string"
HISTORY = "shop string, city string, __START_AT date, __END_AT date"
VISITS = "shop string, _row_hash bigint, _row_number int"

TOLD = {
    "as it is": "SELECT * FROM silver.orders",
    "a join with a key": """
        SELECT o.*, s.city FROM silver.orders o LEFT JOIN silver.shops s ON s.shop = o.shop""",
    "a join with what is grouped": """
        SELECT o.day, o.number, v.visits FROM silver.orders o
        JOIN (SELECT shop, count(*) AS visits FROM silver.visits GROUP BY shop) v ON v.shop = o.shop""",
    "another name of a key, filtered": """
        WITH sold AS (SELECT day AS d, number AS n FROM silver.orders WHERE total > 0)
        SELECT d AS day, n AS number FROM sold""",
}
NOT_TOLD = {
    "a join with a part of a key": """
        SELECT o.* FROM silver.orders o LEFT JOIN silver.orders p ON p.day = o.day""",
    "a join with a key that is cast": """
        SELECT o.* FROM silver.orders o LEFT JOIN silver.shops s ON cast(s.shop AS int) = o.number""",
    "a join with a history": """
        SELECT o.* FROM silver.orders o
        LEFT JOIN silver.shops_history s ON s.shop = o.shop AND o.day >= s.__START_AT""",
    "a part of a key": "SELECT day, number % 10 AS number FROM silver.orders",
    "two tables in one": "SELECT day, number FROM silver.orders UNION ALL SELECT day, number FROM silver.orders",
    "a row made several": "SELECT day, number, explode(array(1, 2)) AS copy FROM silver.orders",
    "rows without a key": "SELECT current_date() AS day, 1 AS number, shop FROM silver.visits",
}


@pytest.fixture
def shop(use_case: MakeUseCase, compiling: SparkSession) -> MakeUseCase:
    def make(query: str) -> UseCase:
        case = replace(use_case(SHOP, sales=query), spark=compiling)
        case.write("silver.orders", [], ORDERS)
        case.write("silver.shops", [], SHOPS)
        case.write("silver.shops_history", [], HISTORY)
        case.write("silver.visits", [], VISITS)
        return case

    return make


def told(case: UseCase) -> bool:
    inputs = map(Table.parse, case.settings.gold_inputs()["sales"])
    return gold.never_twice(case.settings, "sales", {table: case.lakehouse.read(table) for table in inputs})


@pytest.mark.parametrize("query", TOLD.values(), ids=TOLD)
def test_a_key_that_cannot_come_twice(shop: MakeUseCase, query: str) -> None:
    assert told(shop(query))


@pytest.mark.parametrize("query", NOT_TOLD.values(), ids=NOT_TOLD)
def test_a_key_that_may_come_twice(shop: MakeUseCase, query: str) -> None:
    assert not told(shop(query))


def test_few_rows_are_looked_at(use_case: MakeUseCase) -> None:
    case = use_case(SHOP, sales=TOLD["as it is"])
    case.write("silver.orders", [], ORDERS)

    assert not told(case)


def test_a_key_that_comes_twice_ends_the_run(shop: MakeUseCase) -> None:
    case = shop(NOT_TOLD["a join with a part of a key"])
    day = date(2024, 5, 1)
    case.append("silver.orders", [(day, 1, "a", 1.0), (day, 2, "a", 1.0)], ORDERS)

    with pytest.raises(PySparkException, match="several rows for one key"):
        case.engine().derive(*gold.derivations(case.settings))
    assert case.lakehouse.latest(Table.parse("gold.sales")) is None


def test_a_key_that_cannot_come_twice_is_written_as_it_is(shop: MakeUseCase) -> None:
    case = shop(TOLD["a join with a key"])
    day = date(2024, 5, 1)
    case.append("silver.orders", [(day, 1, "a", 1.0), (day, 2, "b", 2.0)], ORDERS)
    case.append("silver.shops", [("a", "Rome")], SHOPS)

    case.engine().derive(*gold.derivations(case.settings))

    assert case.rows("gold.sales", "number", "city") == [(1, "Rome"), (2, None)]
