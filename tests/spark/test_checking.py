"""Check finds each mistake in an expression before a run, and its text alone is enough to mend it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import SparkSession

from lakeloop.checking import Check
from lakeloop.config.model import Model
from lakeloop.errors import Problem
from lakeloop.modelling import labels

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)
ORDERS = "order,shop,ordered_at,amount,paid,kind\n1,a,2024-04-01 10:00:00,3.5,true,large\n"
CLEAN = """
sources:
  orders:
    path: orders/*.csv
    key: order
    columns:
      order: int
      shop: string
      ordered_at: timestamp
      amount: double
      paid: boolean
      kind: string
      doubled: amount * 2
    expect:
      amount_is_positive: amount > 0
gold:
  sales: {sql: sales.sql, key: order, time: ordered_at, increment_by: day}
features:
  spending:
    entity: shop
    from: silver.orders
    where: paid
    time: ordered_at
    windows: [7 days]
    measures: {mean_amount: avg(doubled)}
model:
  task: binary
  spine: gold.sales
  label: amount > 3
  include: order
  exclude: kind
  split: {by: time, validation: 1 day, test: 1 day}
"""
SALES = "select order, shop, ordered_at, to_date(ordered_at) as day, amount, paid, kind from silver.orders"


def shop(use_case: MakeUseCase, *changes: tuple[str, str]) -> UseCase:
    """The clean use case with pieces of its configuration and query replaced, and its raw file landed."""
    text, query = CLEAN, SALES
    for old, new in changes:
        assert old in text or old in query, old
        text, query = text.replace(old, new), query.replace(old, new)
    case = use_case(text, sales=query)
    case.land("orders/1.csv", ORDERS)
    return case


def problems(case: UseCase) -> list[Problem]:
    return Check(case.spark, case.settings, NOW).analyse().problems


def test_a_clean_use_case_has_no_problem(use_case: MakeUseCase) -> None:
    assert problems(shop(use_case)) == []


def test_each_mistake_is_told_with_its_place_and_the_nearest_name(
    use_case: MakeUseCase, capfd: pytest.CaptureFixture[str]
) -> None:
    case = shop(
        use_case,
        ("doubled: amount * 2", "doubled: amuont * 2\n      rounded: rouund(amount)\n      total: sum(amount)"),
        ("doubled: amuont", "town: varchar(20)\n      rate: flaot\n      doubled: amuont"),
        ("amount_is_positive: amount > 0", "amount_is_positive: amuont > 0\n      is_kind: kind"),
        ("gold:", "gold:\n  other: {sql: 'select order, amuont from silver.orders', key: order}"),
        ("time: ordered_at, incr", "time: shop, incr"),
        ("avg(doubled)", "avg(paiid)"),
        ("label: amount > 3", "label: amuont > 3"),
        ("exclude: kind", "exclude: knid"),
    )
    columns = "order, shop, ordered_at, day, amount, paid, kind"
    near = "a column that is there, such as amount"
    amount, condition = "did you mean 'amount'?", "a condition, true or false for each row"
    expected = [
        ("sources.orders.columns.town", "varchar(20)", "a type or an expression", "did you mean 'string'?"),
        ("sources.orders.columns.rate", "flaot", "a type or an expression", "did you mean 'float'?"),
        ("sources.orders.columns.doubled", "no column amuont in amuont * 2", near, amount),
        ("sources.orders.columns.rounded", "no function rouund in rouund(amount)", "a function",
         "did you mean 'round'?"),
        ("sources.orders.columns.total", "sum(amount)", "a value of each row", ""),
        ("sources.orders.expect.amount_is_positive", "no column amuont in amuont > 0", near, amount),
        ("sources.orders.expect.is_kind", "kind, which is a string", condition, ""),
        ("gold.other.sql", "no column amuont in select order, amuont from silver.orders", near, amount),
        ("gold.sales.time", "shop, which is a string", "a timestamp or a date", ""),
        ("features.spending.measures.mean_amount", "no column paiid in paiid", "a column that is there, such as paid",
         "did you mean 'paid'?"),
        ("model.label.expression", "no column amuont in amuont > 3", near, amount),
        ("model.exclude", "no column knid", f"one of {columns}", "did you mean 'kind'?"),
    ]  # fmt: skip

    found = problems(case)

    # Spark prints nothing of what is told in words.
    assert "SQLQueryContextLogger" not in capfd.readouterr().err
    assert [(item.where, item.found, item.hint) for item in found] == [(a, b, d) for a, b, _, d in expected]
    for item, (_, _, wanted, _) in zip(found, expected, strict=True):
        assert item.expected.startswith(wanted)
        assert "_raw_" not in item.expected
        assert item.file.endswith("shop/pipeline.yml")


def test_a_history_is_looked_at_as_other_tables_are(use_case: MakeUseCase) -> None:
    asof = "ordered_at >= __START_AT and (ordered_at < __END_AT or __END_AT is null)"
    other = f"gold:\n  other: {{sql: 'select order, shop from silver.orders_history where {asof}', key: odrer}}"
    case = shop(
        use_case,
        ("key: order\n", "key: order\n    latest_by: [size, ordered_at]\n    history: true\n"),
        ("doubled: amount * 2", "doubled: amount * 2\n      size: upper(kind)"),
        ("gold:", other),
    )
    assert [(item.where, item.found) for item in problems(case)] == [
        ("sources.orders.latest_by", "size, which is a string"),
        ("gold.other.key", "no column odrer"),
    ]


def test_what_is_near_slices_has_a_time_and_slices_are_days(use_case: MakeUseCase) -> None:
    joined = "select r.*, o.shop from silver.returns r left join silver.orders o using (order)"
    back = "key: order, increment_by: day, near: {silver.orders: {column: ordered_on}}"
    returns = "{path: orders/*.csv, key: order, columns: {order: int, day: to_date(ordered_at)}}"
    case = shop(
        use_case,
        ("increment_by: day", "increment_by: ordered_at, near: {silver.orders: {column: shop}}"),
        ("gold:", f"  returns: {returns}\ngold:\n  back: {{sql: {joined!r}, {back}}}"),
    )
    assert [(item.where, item.found, item.expected) for item in problems(case)] == [
        ("gold.back.near.silver.orders.column", "no column ordered_on in silver.orders",
         "one of order, shop, ordered_at, amount, paid, kind, doubled"),
        ("gold.sales.increment_by", "ordered_at, which is a timestamp", "a date, for inputs are near days"),
        ("gold.sales.near.silver.orders.column", "`shop`, which is a string", "a timestamp or a date"),
    ]  # fmt: skip


def test_a_text_is_no_label_of_a_binary_task(use_case: MakeUseCase) -> None:
    [problem] = problems(shop(use_case, ("label: amount > 3", "label: kind")))
    assert (problem.where, problem.found) == ("model.label.expression", "kind, which is a string")
    assert problem.expected.startswith("a condition such as kind = 'yes', or model.positive")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"label": "n"}, ("model.label.expression", "n, with 3 values: 1, 2, 3", "task: regression predicts a number")),
        ({"label": "n % 2 + 1"}, ("model.label.expression", "n % 2 + 1, with 2 values: 2, 1", "")),
        ({"label": "kind", "positive": "Large"}, ("model.positive", "Large", "did you mean 'large'?")),
        ({"label": "kind", "positive": "large"}, None),
        ({"label": "n % 2"}, None),
    ],
)
def test_a_label_has_values_of_which_its_task_makes_classes(
    spark: SparkSession, model: dict[str, str], told: tuple[str, str, str] | None
) -> None:
    rows = spark.createDataFrame([(1, "large"), (2, "small"), (3, None)], "n int, kind string")
    found = labels.unfit(rows, Model.model_validate({"task": "binary", "spine": "silver.x", **model}))
    assert (found and (found.where, found.found, found.hint)) == told


def test_a_missing_column_is_told_once_with_those_that_there_are(use_case: MakeUseCase) -> None:
    changes = ("      order: int\n", "      order: int\n      half: amont / 2\n"), ("amount", "amont")
    [problem] = problems(shop(use_case, *changes))
    assert (problem.where, problem.found) == ("sources.orders.columns.amont", "no column amont in the raw files")
    assert problem.expected == "one of order, shop, ordered_at, amount, paid, kind"
    assert problem.hint == "did you mean 'amount'?"


def test_no_raw_files_is_told_with_the_folder_looked_at(use_case: MakeUseCase) -> None:
    case = use_case(CLEAN, sales=SALES)
    [problem] = problems(case)
    assert (problem.where, problem.found) == ("sources.orders.path", "orders/*.csv")
    assert f"there is no csv file at {case.settings.resolve('{landing}')}/orders/*.csv" in problem.expected
