"""Each name that one part of a pipeline says of another must lead somewhere, in an order that can be run."""

from __future__ import annotations

import pytest

from lakeloop.config import load
from lakeloop.config.references import gold_inputs, gold_order, spine_key, spine_time

from ..conftest import SHOP, Folder


def test_an_unknown_table_in_a_gold_query_gets_the_nearest(conf: Folder) -> None:
    folder = conf.changed(("select * from silver.orders", "select * from silver.order"))
    [problem] = conf.problems(folder)
    assert problem.file == str(folder / "pipeline.yml")
    assert (problem.where, problem.found) == ("gold.sales.sql", "silver.order")
    assert problem.expected == "one of silver.orders, gold.sales, bronze.orders"
    assert problem.hint == "did you mean 'silver.orders'?"


def test_gold_tables_in_a_circle_are_refused(conf: Folder) -> None:
    circle = "gold:\n  a: {sql: select * from gold.b, key: x}\n  b: {sql: select * from gold.a, key: x}\n"
    [problem] = conf.problems(conf.changed(("gold:\n", circle)))
    assert problem.where == "gold"
    assert problem.found == "tables that read each other: a → b → a"
    assert problem.expected == "no circle"


def test_a_gold_table_that_reads_itself_is_a_circle() -> None:
    with pytest.raises(ValueError, match=r"^a → a$"):
        gold_order({"a": ["gold.a"]})


def test_gold_tables_come_after_those_that_they_read() -> None:
    reads = {
        "report": ["gold.sales", "gold.days"],
        "sales": ["silver.orders", "gold.days"],
        "days": ["silver.orders"],
    }
    assert gold_order(reads) == ["days", "sales", "report"]


def test_inputs_are_each_named_once() -> None:
    query = "select * from silver.a join silver.b using (x) join silver.a as again using (x)"
    assert gold_inputs(query) == ["silver.a", "silver.b"]


def test_a_query_may_stand_in_a_file(conf: Folder) -> None:
    folder = conf.changed(
        ("sql: select * from silver.orders", "sql: sales.sql"), sales="select 1 as x from silver.orders"
    )
    assert load(folder).queries == {"sales": "select 1 as x from silver.orders"}


def test_a_missing_sql_file_lists_those_that_are_there(conf: Folder) -> None:
    folder = conf.changed(("sql: select * from silver.orders", "sql: sale.sql"), sales="select 1", other="select 2")
    [problem] = conf.problems(folder)
    assert (problem.where, problem.found) == ("gold.sales.sql", "sale.sql")
    assert problem.expected == f"a file in {folder} (there are other.sql, sales.sql)"


def test_a_query_that_reads_no_table_is_refused(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("select * from silver.orders", "select 1 as order_id")))
    assert (problem.where, problem.found) == ("gold.sales.sql", "no table")


@pytest.mark.parametrize("query", ["select (1 from silver.orders", "select * from silver.orders where"])
def test_a_query_that_is_no_sql_is_refused(conf: Folder, query: str) -> None:
    [problem] = conf.problems(conf.changed(("sql: select * from silver.orders", f"sql: {query}")))
    assert problem.where == "gold.sales.sql"
    assert problem.expected == "one Spark SQL query"


def test_a_query_with_an_open_quote_is_a_problem_and_no_crash(conf: Folder) -> None:
    folder = conf.changed(("sql: select * from silver.orders", "sql: q.sql"), q="select 'x from silver.orders")
    [problem] = conf.problems(folder)
    assert (problem.where, problem.found) == ("gold.sales.sql", "a quote or a comment is not closed")


@pytest.mark.parametrize("label", ["union", "union = 'yes'"])
def test_a_column_that_is_called_by_a_word_of_sql_is_told_its_backticks(conf: Folder, label: str) -> None:
    [problem] = conf.problems(conf.changed(("label: amount > 100", f'label: "{label}"')))
    assert problem.hint == """a column called union goes in backticks, and those in quotes: "`union`\""""


def test_a_measure_with_an_open_quote_is_a_problem_and_no_crash(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("avg(amount)", '"avg(country = \'x)"')))
    assert problem.where == "features.spending.measures.mean_amount"


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("delimeter: x", "did you mean 'delimiter'?"),
        ("seperator: x", "Spark calls it sep"),
        ("na_values: x", "the source's own key missing says which texts stand for a missing value"),
    ],
)
def test_an_option_that_spark_would_pass_over_is_told(conf: Folder, option: str, hint: str) -> None:
    [problem] = conf.problems(conf.changed(("    columns", f"    options: {{{option}}}\n    columns")))
    assert (problem.where, problem.hint) == (f"sources.orders.options.{option.split(':')[0]}", hint)


def test_options_of_spark_and_of_platforms_are_let_through(conf: Folder) -> None:
    conf.settings(("    columns", "    options: {SEP: x, multiline: true, rescuedDataColumn: _r}\n    columns"))


def test_a_key_must_be_among_the_columns(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("key: order_id\n    columns", "key: [order_id, contry]\n    columns")))
    assert (problem.where, problem.found) == ("sources.orders.key", "contry")
    assert problem.expected == "one of order_id, ordered_at, amount, country"
    assert problem.hint == "did you mean 'country'?"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("amount: double", "amount: round(total", "sources.orders.columns.amount"),
        ("label: amount > 100", "label: amount >", "model.label.expression"),
        ("    time: ordered_at\n    windows", "    time: at (\n    windows", "features.spending.time"),
        ("    windows", "    where: amount >\n    windows", "features.spending.where"),
        ("    columns", "    expect: {paid: amount >}\n    columns", "sources.orders.expect.paid.rule"),
    ],
)
def test_an_expression_that_does_not_parse_is_refused(conf: Folder, old: str, new: str, where: str) -> None:
    if "at (" in new:
        new = new.replace("at (", '"at ("')
    if "round(" in new:
        new = new.replace("round(total", '"round(total"')
    [problem] = conf.problems(conf.changed((old, new)))
    assert problem.where == where
    assert problem.expected.startswith("a Spark SQL expression (")


@pytest.mark.parametrize("spine", ["sales", "gold.main.sales"])
def test_a_spine_that_is_no_table_name_is_a_problem_and_no_crash(conf: Folder, spine: str) -> None:
    problems = conf.problems(conf.changed(("spine: gold.sales", f"spine: {spine}")))
    assert (problems[0].where, problems[0].found) == ("model.spine", spine)


def test_one_misspelt_spine_is_one_problem(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("spine: gold.sales", "spine: gold.sale")))
    assert (problem.where, problem.hint) == ("model.spine", "did you mean 'gold.sales'?")


def test_features_must_come_from_a_table_that_there_is(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("from: silver.orders\n    time", "from: silver.odrers\n    time")))
    assert (problem.where, problem.hint) == ("features.spending.from", "did you mean 'silver.orders'?")


@pytest.mark.parametrize(
    ("key", "value"), [("affected_by", "day"), ("near", "{column: day}\n    increment_by: country")]
)
def test_an_input_that_touches_slices_is_one_of_the_query(conf: Folder, key: str, value: str) -> None:
    change = (
        "    time: ordered_at\nfeatures",
        f"    time: ordered_at\n    {key}:\n      silver.refunds: {value}\nfeatures",
    )
    [problem] = conf.problems(conf.changed(change))
    assert (problem.where, problem.found) == (f"gold.sales.{key}", "silver.refunds")
    assert problem.expected == "one of silver.orders"


def test_near_needs_slices_and_an_input_touches_them_in_one_way(conf: Folder) -> None:
    near = "    near: {silver.orders: {column: ordered_at}}\n"
    both = near + "    increment_by: country\n    affected_by: {silver.orders: country}\n"
    expected = ["increment_by, the name of a date, beside near", "silver.orders either in near or in affected_by"]
    for text, wanted in zip((near, both), expected, strict=True):
        [problem] = conf.problems(conf.changed(("    time: ordered_at\nfeatures", f"{text}features")))
        assert (problem.where, problem.expected) == ("gold.sales", wanted)


def test_a_split_by_time_needs_the_spines_time(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("    time: ordered_at\nfeatures", "features")))
    assert (problem.where, problem.found) == ("gold.sales.time", "nothing")


def test_a_silver_spine_without_a_time_is_told_both_ways_out(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("spine: gold.sales", "spine: silver.orders")))
    assert (problem.where, problem.found) == ("model.spine", "silver.orders, a silver table, which has no time")
    assert "sql: select * from silver.orders" in problem.hint
    no_features = SHOP[: SHOP.index("features:")] + SHOP[SHOP.index("model:") :]
    [problem] = conf.problems(conf.pipeline(no_features.replace("spine: gold.sales", "spine: silver.orders")))
    assert "split: {by: random}" in problem.hint


@pytest.mark.parametrize(
    ("line", "where", "found"),
    [
        ("split: {by: random, test: 20%}", "model.split.test", "20%"),
        ("split: {by: random, validation: 14 days}", "model.split.validation", "14 days"),
        ("split: {by: random, validation: 0.5, test: 0.5}", "model.split", "validation: 0.5, test: 0.5"),
        ("split: {by: group, group: country, test: 1.5}", "model.split.test", "1.5"),
        ("split: {by: column, column: country, validation: a third}", "model.split.validation", "a third"),
        ("split: {test: 0.2}", "model.split.test", "0.2"),
        ("split: {validation: 1 month}", "model.split.validation", "1 month"),
        ("split: {test: '2013-13-01'}", "model.split.test", "2013-13-01"),
    ],
)
def test_a_part_that_cannot_be_cut_off_is_told_before_the_run(conf: Folder, line: str, where: str, found: str) -> None:
    [problem] = conf.problems(conf.changed(("task: binary", f"task: binary\n  {line}")))
    assert (problem.where, problem.found) == (where, found)


@pytest.mark.parametrize("split", ["{by: random}", "{by: column, column: country}", "{test: 2013-10-01}"])
def test_parts_that_can_be_cut_off_load(conf: Folder, split: str) -> None:
    assert conf.settings(("task: binary", f"task: binary\n  split: {split}"))


def test_metrics_are_those_of_the_task(conf: Folder) -> None:
    gate = "gate: {minimum: {accuracy: 0.9, r2_score: 0.5, f1_score: 0.1}}\nmodel:\n  metric: auc"
    problems = conf.problems(conf.changed(("model:", gate)))
    assert [(problem.where, problem.hint) for problem in problems] == [
        ("model.metric", "did you mean 'roc_auc'?"),
        ("gate.minimum.accuracy", "did you mean 'accuracy_score'?"),
        ("gate.minimum.r2_score", "it is a metric of task regression"),
    ]


@pytest.mark.parametrize(
    ("task", "short", "meant"),
    [
        ("regression", "rmse", "root_mean_squared_error"),
        ("regression", "MAE", "mean_absolute_error"),
        ("regression", "r2", "r2_score"),
        ("multiclass", "accuracy", "accuracy_score"),
        ("binary", "auc", "roc_auc"),
        ("binary", "pr_auc", "precision_recall_auc"),
        ("binary", "logloss", "log_loss"),
        ("binary", "f1", "f1_score"),
    ],
)
def test_a_metric_is_known_by_what_it_is_called_for_short(conf: Folder, task: str, short: str, meant: str) -> None:
    model = ("task: binary", f"task: {task}\n  metric: {short}")
    [problem] = conf.problems(conf.changed(model, ("amount > 100", "amount" if task == "regression" else "country")))
    assert (problem.where, problem.hint) == ("model.metric", f"did you mean '{meant}'?")


def test_a_spine_tells_its_time_and_key(conf: Folder) -> None:
    pipeline = conf.settings().pipeline
    assert spine_time(pipeline) == "ordered_at"
    assert spine_key(pipeline) == ["order_id"]


KEPT = ("path: orders/*.csv", "path: orders/*.csv\n    latest_by: [ordered_at]\n    history: true")


def test_a_gold_table_may_read_a_history(conf: Folder) -> None:
    folder = conf.changed(KEPT, ("select * from silver.orders", "select * from silver.orders_history"))
    assert load(folder).gold_inputs() == {"sales": ["silver.orders_history"]}
    [problem] = conf.problems(conf.changed(("select * from silver.orders", "select * from silver.orders_history")))
    assert (problem.where, problem.found) == ("gold.sales.sql", "silver.orders_history")
    assert problem.hint == "sources.orders keeps one with history: true"
    [problem] = conf.problems(conf.changed(KEPT, ("from: silver.orders", "from: silver.orders_history")))
    assert problem.where == "features.spending.from"
    assert problem.hint == "a gold table can read a history, and be named here"


@pytest.mark.parametrize(
    ("change", "where", "found", "expected"),
    [
        (("key: order_id", "key: []"), "sources.orders.key", "nothing", "columns that identify a row"),
        (("[ordered_at]", "country"), "sources.orders.latest_by", "country, which is a string", "first a timestamp"),
        (("[ordered_at]", "_source_file"), "sources.orders.latest_by", "_source_file, which is a string", "a date"),
        (
            ("country: string", "country: string, __start_at: date"),
            *("sources.orders.columns.__start_at", "__start_at", "another name: this column is the history's own"),
        ),
        (
            ("sources:\n", "sources:\n  orders_history: {path: x, key: a}\n"),
            *("sources.orders_history", "orders_history", "silver.orders_history is the history of orders"),
        ),
    ],
)
def test_a_history_that_cannot_be_kept_is_refused(
    conf: Folder, change: tuple[str, str], where: str, found: str, expected: str
) -> None:
    text = SHOP.replace(*KEPT).replace(*change, 1)
    [problem] = conf.problems(conf.pipeline(text))
    assert (problem.where, problem.found) == (where, found)
    assert expected in problem.expected
