"""After any changes of its inputs a table equals its function over all of them; other rows are let be."""

from __future__ import annotations

from chispa import assert_df_equality
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop.derivation import Appended, ByKey, BySlice, Derivation, Rows
from lakeloop.derive import Outcome
from lakeloop.tables import Table

SALES, PRICES, NOTES, RATES = (Table("silver", name) for name in ("sales", "prices", "notes", "rates"))
OUT = Table("gold", "out")
SALES_SCHEMA, OTHER_SCHEMA = "id int, day string, x int", "day string, y int"


def up_to_date(case: UseCase, derivation: Derivation, action: str = "updated") -> Outcome:
    """Brings the table up to date and compares it with one made from scratch."""
    outcome = case.engine().derive(derivation)
    assert outcome.action == action
    full = derivation.compute({table: case.lakehouse.read(table) for table in derivation.inputs})
    found = case.lakehouse.read(derivation.output)
    assert_df_equality(found, full, ignore_row_order=True, ignore_nullable=True, ignore_metadata=True)
    return outcome


def test_by_key(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.sales", [(1, "a", 1), (2, "a", 2), (3, None, 3), (None, "b", 4)], SALES_SCHEMA)
    derivation = Derivation(
        OUT, (SALES,), lambda rows: rows[SALES].selectExpr("id", "x * 2 AS twice"), ByKey(("id",)), "v"
    )
    up_to_date(case, derivation, "created")

    case.append("silver.sales", [(5, "c", 5)], SALES_SCHEMA)
    case.sql("DELETE FROM {silver.sales} WHERE id = 1")
    case.sql("UPDATE {silver.sales} SET x = 40 WHERE id IS NULL")
    outcome = up_to_date(case, derivation)
    assert (outcome.rows_in, outcome.rows_out) == (3, 3)

    # A key that goes and comes again, one that comes and goes, and one that is given another name.
    case.sql("DELETE FROM {silver.sales} WHERE id IN (2, 5)")
    case.append("silver.sales", [(2, "a", 20), (6, "c", 6)], SALES_SCHEMA)
    case.sql("DELETE FROM {silver.sales} WHERE id = 6")
    case.sql("UPDATE {silver.sales} SET id = 30 WHERE id = 3")
    up_to_date(case, derivation)
    assert case.rows("gold.out") == [(2, 40), (30, 6), (None, 80)]


def test_by_key_when_the_function_no_longer_yields_a_row(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.sales", [(1, "a", 1), (2, "a", 2)], SALES_SCHEMA)
    derivation = Derivation(OUT, (SALES,), lambda rows: rows[SALES].filter("x > 0"), ByKey(("id",)), "v")
    up_to_date(case, derivation, "created")

    case.sql("UPDATE {silver.sales} SET x = -1 WHERE id = 1")
    up_to_date(case, derivation)


def test_by_key_with_rows_of_earlier_definitions(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.sales", [(1, "a", 1), (2, "a", 2)], SALES_SCHEMA)

    def scored(version: str) -> Derivation:
        return Derivation(
            OUT,
            (SALES,),
            lambda rows: rows[SALES].select("id", F.lit(version).alias("version"), "x"),
            ByKey(("id", "version"), keeps=True, source_key=("id",)),
            version,
        )

    case.engine().derive(scored("v1"))
    assert case.engine().derive(scored("v2")).action == "rebuilt"
    case.sql("DELETE FROM {silver.sales} WHERE id = 1")
    case.sql("UPDATE {silver.sales} SET x = 20 WHERE id = 2")
    case.engine().derive(scored("v2"))

    assert case.rows("gold.out") == [(2, "v1", 2), (2, "v2", 20)]


def test_appended(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.sales", [(1, "a", 1), (2, "a", -2)], SALES_SCHEMA)
    derivation = Derivation(OUT, (SALES,), lambda rows: rows[SALES].filter("x < 0"), Appended(), "v")
    up_to_date(case, derivation, "created")

    case.append("silver.sales", [(3, "b", -3), (4, "b", 4)], SALES_SCHEMA)
    case.append("silver.sales", [(1, "a", -1)], SALES_SCHEMA)
    outcome = up_to_date(case, derivation)
    assert (outcome.rows_in, outcome.rows_out) == (3, 2)


def per_day(rows: Rows) -> DataFrame:
    """What a day sold, with the price of that day or, where there is none, of the day before."""
    sold = rows[SALES].groupBy("day").agg(F.sum("x").alias("x"))
    prices = rows[PRICES]
    same = prices.withColumnRenamed("y", "price")
    before = prices.selectExpr("string(int(day) + 1) AS day", "y AS price_before")
    rates = rows[RATES].agg(F.sum("y").alias("rate"))
    day = F.col("sold.day")
    return (
        sold.alias("sold")
        .join(same.alias("same"), day.eqNullSafe(F.col("same.day")), "left")
        .join(before.alias("before"), day.eqNullSafe(F.col("before.day")), "left")
        .crossJoin(rates)
        .select("sold.day", "x", F.coalesce("price", "price_before").alias("price"), "rate")
    )


PER_DAY = Derivation(
    OUT,
    (SALES, PRICES, NOTES, RATES),
    per_day,
    BySlice(
        "day",
        {SALES: "day", PRICES: "array(day, string(int(day) + 1))", NOTES: "nothing", RATES: "all"},
        frozenset({SALES}),
    ),
    "v",
)


def test_by_slice(use_case: MakeUseCase) -> None:
    case = use_case()
    sales = [(1, "1", 1), (2, "1", 2), (3, "2", 3), (4, "3", 4), (5, None, 5), (6, "it's \\ 9", 6)]
    case.write("silver.sales", sales, SALES_SCHEMA)
    case.write("silver.prices", [("1", 10), ("5", 30)], OTHER_SCHEMA)
    case.write("silver.notes", [("1", 0)], OTHER_SCHEMA)
    case.write("silver.rates", [("1", 7)], OTHER_SCHEMA)
    up_to_date(case, PER_DAY, "created")

    # A new day, one without rows from now on, and a row that goes from one day to another.
    case.append("silver.sales", [(7, "4", 7), (8, None, 8), (9, "it's \\ 9", 9)], SALES_SCHEMA)
    case.sql("DELETE FROM {silver.sales} WHERE day = '3'")
    case.sql("UPDATE {silver.sales} SET day = '2' WHERE id = 2")
    case.sql("UPDATE {silver.prices} SET day = '3' WHERE day = '5'")
    outcome = up_to_date(case, PER_DAY)
    assert outcome.rows_in == 5

    # A price touches its day and the next; the other days' rows are not written again.
    case.append("silver.prices", [("2", 20)], OTHER_SCHEMA)
    case.append("silver.notes", [("5", 0)], OTHER_SCHEMA)
    assert up_to_date(case, PER_DAY).rows_out == 1
    case.append("silver.rates", [("1", 1)], OTHER_SCHEMA)
    assert up_to_date(case, PER_DAY, "rebuilt").reason == "silver.rates changed, which touches every slice"
