"""A gold query sees tables by their names, gives each key once, and its slices equal a rebuild."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from chispa import assert_df_equality
from conftest import MakeUseCase
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakeloop import gold
from lakeloop.errors import ConfigurationError
from lakeloop.tables import Table

SHOP = """
sources:
  orders: {path: orders/*, key: id, columns: {id: int, day: date, shop: string, total: double}}
  shops: {path: shops/*, key: shop, columns: {shop: string, city: string, opened: date}}
gold:
  takings:
    sql: takings.sql
    key: [day, shop]
    increment_by: day
    affected_by: {silver.shops: "sequence(opened, date_add(opened, 1))"}
  days:
    sql: SELECT day, sum(takings) AS takings FROM gold.takings GROUP BY day
    key: day
    increment_by: day
"""
TAKINGS = """
-- silver.orders in a comment is no table
SELECT o.day, o.shop, s.city, sum(o.total) AS takings, 'silver.shops' AS made_from
FROM silver.orders AS o
LEFT JOIN silver.shops AS s ON s.shop = o.shop AND o.day BETWEEN s.opened AND date_add(s.opened, 1)
GROUP BY o.day, o.shop, s.city
"""
ORDERS, SHOPS = "id int, day string, shop string, total double", "shop string, city string, opened string"


NEAR = (
    'affected_by: {silver.shops: "sequence(opened, date_add(opened, 1))"}',
    "near: {silver.shops: {column: opened, days_after: 1}}",
)


@pytest.mark.parametrize("shop", [SHOP, SHOP.replace(*NEAR)], ids=["affected_by", "near"])
def test_slices_equal_a_rebuild(use_case: MakeUseCase, shop: str) -> None:
    case = use_case(shop, takings=TAKINGS)

    def dated(table: str, column: str, rows: list[tuple[object, ...]], schema: str) -> None:
        frame = case.spark.createDataFrame(rows, schema).withColumn(column, F.to_date(column))
        write = case.lakehouse.append if case.lakehouse.latest(Table.parse(table)) else case.lakehouse.create
        write(Table.parse(table), frame, {"run": "by hand"})

    first = [
        (1, "2024-01-01", "a", 1.0),
        (2, "2024-01-01", "a", 2.0),
        (3, "2024-01-02", "b", 4.0),
        (4, None, "b", 8.0),
    ]
    dated("silver.orders", "day", first, ORDERS)
    dated("silver.shops", "opened", [("a", "Rome", "2024-01-01")], SHOPS)
    takings, days = gold.derivations(case.settings)
    engine = case.engine()
    assert [engine.derive(item).action for item in (takings, days)] == ["created", "created"]
    assert case.rows("gold.takings", "string(day)", "shop", "city", "takings", "made_from") == [
        ("2024-01-01", "a", "Rome", 3.0, "silver.shops"),
        ("2024-01-02", "b", None, 4.0, "silver.shops"),
        (None, "b", None, 8.0, "silver.shops"),
    ]

    dated("silver.orders", "day", [(5, "2024-01-03", "a", 16.0), (6, None, "b", 32.0)], ORDERS)
    dated("silver.shops", "opened", [("b", "Oslo", "2024-01-02")], SHOPS)
    case.sql("DELETE FROM {silver.orders} WHERE id = 1")
    engine = case.engine()
    assert [engine.derive(item).action for item in (takings, days)] == ["updated", "updated"]

    assert case.rows("gold.days", "string(day)", "takings") == [
        ("2024-01-01", 2.0), ("2024-01-02", 4.0), ("2024-01-03", 16.0), (None, 40.0),
    ]  # fmt: skip
    full = takings.compute({table: case.lakehouse.read(table) for table in takings.inputs})
    found = case.lakehouse.read(takings.output)
    assert_df_equality(found, full, ignore_row_order=True, ignore_nullable=True)


def test_of_an_input_near_the_slices_just_the_rows_of_their_days_are_read(use_case: MakeUseCase) -> None:
    # A query that counts them sees how many there are.
    counted = "SELECT o.*, (SELECT count(*) FROM silver.readings) AS seen FROM silver.orders AS o"
    case = use_case(
        """
        sources:
          orders: {path: orders/*, key: id, columns: {id: int, day: date}}
          readings: {path: readings/*, key: at, columns: {at: timestamp, x: int}}
        gold:
          sales:
            sql: sales.sql
            key: id
            increment_by: day
            near: {silver.readings: {column: at, days_before: 1, days_after: 2}}
        """,
        sales=counted,
    )
    days = [date(2024, 5, number) for number in range(1, 10)]
    readings = [(datetime.combine(day, time(23, 59)), 1) for day in days]
    case.write("silver.readings", [*readings, (None, 1)], "at timestamp, x int")
    case.write("silver.orders", [(1, days[0])], "id int, day date")
    sales = gold.derivation(case.settings, "sales")
    case.engine().derive(sales)
    assert case.rows("gold.sales", "id", "seen") == [(1, 10)]

    # Readings of the third to the sixth serve the fifth.
    case.append("silver.orders", [(2, days[4])], "id int, day date")
    assert case.engine().derive(sales).action == "updated"
    assert case.rows("gold.sales", "id", "seen") == [(1, 10), (2, 4)]

    # One of the second serves the first to the fourth, which those of the first to the fifth serve, one without a time
    # the slice without a day: all that serve any of these are read together.
    case.append("silver.readings", [(datetime(2024, 5, 2), 1), (None, 1)], "at timestamp, x int")
    found = case.engine().derive(sales)
    assert (found.action, found.reason) == ("updated", "")
    assert case.rows("gold.sales", "id", "seen") == [(1, 8), (2, 4)]


def test_slices_that_inputs_are_near_to_are_days(use_case: MakeUseCase) -> None:
    case = use_case(SHOP.replace(*NEAR), takings=TAKINGS.replace("SELECT o.day,", "SELECT string(o.day) AS day,"))
    case.write("silver.orders", [(1, "2024-01-01", "a", 1.0)], ORDERS)
    case.write("silver.shops", [("a", "Rome", "2024-01-01")], SHOPS)

    with pytest.raises(ConfigurationError) as raised:
        case.engine().derive(gold.derivation(case.settings, "takings"))
    [problem] = raised.value.problems
    assert (problem.where, problem.found) == ("gold.takings.increment_by", "day, which is a string")
    assert problem.expected == "a date, for inputs are near days"
    assert problem.hint == "to_date(day) is one, as a column of its own"


def test_a_key_that_comes_twice_stops_the_run_in_the_words_of_the_table(use_case: MakeUseCase) -> None:
    case = use_case(SHOP, takings=TAKINGS)
    case.write("silver.orders", [(1, "2024-01-01", "a", 1.0)], ORDERS)
    case.write("silver.shops", [("a", "Rome", "2024-01-01"), ("a", "Oslo", "2024-01-01")], SHOPS)

    with pytest.raises(
        (PySparkException, Py4JJavaError),
        match=r"gold\.takings: its query gives several rows for one key \(day, shop\)",
    ):
        case.engine().derive(gold.derivation(case.settings, "takings"))
    assert case.lakehouse.latest(Table("gold", "takings")) is None
