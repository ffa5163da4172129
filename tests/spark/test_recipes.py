"""docs/recipes.md does what it says: each piece of YAML and SQL is run on the values in the table under it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import MakeUseCase, tuples
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakeloop import gold, history, silver
from lakeloop.config.sources import Source
from lakeloop.tables import Table

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COLUMNS = {name: text for name, text in SECTIONS.items() if "```yaml" in text and "```sql" not in text}
BROKEN = "broken rules"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def bronze(spark: SparkSession, raw: dict[str, list[str]]) -> DataFrame:
    """Bronze rows of these columns; what a file does not have is null."""
    own = {"_corrupt_record": "string", "_source_file": "string", "_source_modified_at": "timestamp"}
    values = list(zip(*raw.values(), strict=True))
    names = ", ".join(f"`{name}` string" for name in raw)
    frame = spark.createDataFrame([(*row, number) for number, row in enumerate(values)], f"{names}, place int")
    for name, kind in {**own, "_ingested_at": "timestamp"}.items():
        if name not in raw:
            frame = frame.withColumn(name, F.lit(None).cast(kind))
    return frame


@pytest.mark.parametrize("name", COLUMNS)
def test_a_recipe_for_columns(name: str, spark: SparkSession) -> None:
    text = COLUMNS[name]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    source = Source.model_validate({"path": "x/*", **yaml.safe_load(block.group(1))})
    header, _, *lines = [cells(line) for line in text.splitlines() if line.startswith("|")]
    columns: dict[str, list[str]] = {title: [line[place] for line in lines] for place, title in enumerate(header)}
    raw = {title.removeprefix("raw "): values for title, values in columns.items() if title.startswith("raw ")}
    wanted = {title: values for title, values in columns.items() if not title.startswith("raw ")}

    judged = silver.judged(bronze(spark, raw), source).orderBy("_raw_place")
    shown = [F.col(column).cast("string") for column in wanted if column != BROKEN]
    broken = [F.array_join("_failed_rules", ", ")] if BROKEN in wanted else []

    found = [
        tuple("null" if cell is None else cell for cell in row) for row in judged.select(*shown, *broken).collect()
    ]
    assert lines and found == list(zip(*wanted.values(), strict=True))


def query(spark: SparkSession, name: str, **tables: tuple[list[tuple[Any, ...]], str]) -> list[tuple[Any, ...]]:
    block = re.search(r"```sql\n(.*?)```", SECTIONS[name], re.DOTALL)
    assert block is not None
    rows = {Table("silver", table): spark.createDataFrame(*literal) for table, literal in tables.items()}
    return tuples(gold.run_query(block.group(1), rows))


def test_a_recipe_for_validity_dates(spark: SparkSession) -> None:
    prices = [("tea", "2024-01-01", "2024-02-01", 2.0), ("tea", "2024-02-01", None, 3.0)]
    orders = [(1, "tea", "2024-01-31"), (2, "tea", "2024-02-01"), (3, "tea", "2023-12-31"), (4, "milk", "2024-02-01")]
    found = query(
        spark,
        "A price that was valid for a while",
        orders=(orders, "order_id int, product string, ordered_at string"),
        prices=(prices, "product string, valid_from string, valid_to string, price double"),
    )
    assert [(row[0], row[2]) for row in found] == [(1, 2.0), (2, 3.0), (3, None), (4, None)]


def test_a_recipe_for_the_state_as_of_a_time(spark: SparkSession) -> None:
    text = SECTIONS["The state as of a time"]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    source = Source.model_validate({"path": "x/*", **yaml.safe_load(block.group(1))})
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    raw, intervals, orders = ([cells(line) for line in table.splitlines()[2:]] for table in tables)
    names = ["customer", "segment", "changed_on"]
    rows = bronze(spark, dict(zip(names, zip(*raw, strict=True), strict=True)))  # type: ignore[arg-type]

    kept = history.intervals(history.versions(rows, "customers", source), source)

    shown = [F.col(name).cast("string") for name in ("customer", "segment", "__START_AT", "__END_AT", "_last_seen_at")]
    found = kept.orderBy("customer", "__START_AT").select(*shown).collect()
    assert [["null" if cell is None else cell for cell in row] for row in found] == intervals
    made = spark.createDataFrame([order[:3] for order in orders], "order_id string, customer string, ordered_on string")
    sql = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    inputs = {Table("silver", "orders"): made, Table("silver", "customers_history"): kept}
    assert tuples(gold.run_query(sql[0], inputs).selectExpr("order_id", "ifnull(segment, 'null')")) == [
        (order[0], order[3]) for order in orders
    ]
    [(days,)] = kept.filter("segment = 'medium'").select(F.expr(sql[1])).collect()
    assert (days[0], days[-1]) == (date(2024, 2, 1), date(2024, 3, 1))


def test_a_recipe_for_the_days_before(use_case: MakeUseCase) -> None:
    text = SECTIONS["The days before, or around"]
    tables, sql = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[0] for kind in ("yaml", "sql"))
    source = (
        "sources:\n  orders: {path: x/*, key: order_id, columns: {order_id: int, ordered_on: date, shop: string}}\n"
    )
    rows = [
        (int(line[0]), date.fromisoformat(line[1]), *line[2:])
        for line in map(cells, text.splitlines())
        if line[0].isdigit()
    ]
    schema = "order_id int, ordered_on date, shop string"
    case = use_case(source + tables, busy=sql)
    busy = gold.derivation(case.settings, "busy")
    # The second is late.
    first = [row[:3] for row in rows if row[0] != 2]
    case.write("silver.orders", first, schema)
    assert case.engine().derive(busy).action == "created"
    case.append("silver.orders", [rows[1][:3]], schema)
    assert case.engine().derive(busy).action == "updated"
    assert case.rows("gold.busy", "order_id", "ordered_on", "shop", "string(week_before)") == rows


def test_a_recipe_for_two_roles(spark: SparkSession) -> None:
    found = query(
        spark,
        "One table in two roles",
        flights=([(7, "JFK", "LAX"), (8, "LAX", "???")], "flight int, origin string, dest string"),
        airports=([("JFK", "New York"), ("LAX", "Los Angeles")], "code string, name string"),
    )
    assert found == [(7, "New York", "Los Angeles"), (8, "Los Angeles", None)]
