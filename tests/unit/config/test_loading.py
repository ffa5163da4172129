"""Loading tells all that is wrong at once: file, dotted path, found, expected, nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeloop.config import load
from lakeloop.errors import ConfigurationError

from ..conftest import SHOP, Folder


def test_a_right_use_case_loads_with_its_defaults(conf: Folder) -> None:
    settings = load(conf.pipeline())
    assert settings.environment.name == "local"
    assert settings.pipeline.sources["orders"].key == ["order_id"]
    assert settings.pipeline.sources["orders"].format == "csv"
    assert settings.pipeline.model.metric == "roc_auc"
    assert settings.pipeline.gate.beat == ["naive", "champion"]
    assert settings.queries == {"sales": "select * from silver.orders"}


def test_all_problems_of_all_files_come_at_once(conf: Folder) -> None:
    env = conf.env("local", "roots: lakehouse")
    folder = conf.changed(
        ("path: orders/*.csv", "pth: orders/*.csv"),
        ("task: binary", "task: binry"),
        ("[7 days]", "[7 moons]"),
    )
    found = {(Path(problem.file).name, problem.where) for problem in conf.problems(folder, sets=("novalue",))}
    assert found == {
        ("--set", ""),
        (env.name, "roots"),
        ("pipeline.yml", "sources.orders.path"),
        ("pipeline.yml", "sources.orders.pth"),
        ("pipeline.yml", "features.spending.windows.0"),
        ("pipeline.yml", "model.task"),
    }


def test_an_unknown_key_is_refused_with_the_nearest_name(conf: Folder) -> None:
    folder = conf.changed(("    time: ordered_at\nfeatures", "    tiem: ordered_at\nfeatures"))
    [problem] = [p for p in conf.problems(folder) if p.where == "gold.sales.tiem"]
    assert problem.file == str(folder / "pipeline.yml")
    assert problem.found == "an unknown key"
    assert problem.expected == "one of affected_by, increment_by, inputs, key, near, python, sql, time"
    assert problem.hint == "did you mean 'time'?"


def test_an_unknown_key_far_from_any_gets_no_guess(conf: Folder) -> None:
    [problem] = conf.problems(conf.pipeline(SHOP + "zzz: 1\n"))
    assert (problem.where, problem.hint) == ("zzz", "")
    assert "sources" in problem.expected


def test_an_unknown_key_of_a_rule_is_compared_with_a_rules_keys(conf: Folder) -> None:
    rule = "key: order_id\n    expect: {paid: {rule: amount > 0, othrwise: drop}}\n    columns"
    [problem] = conf.problems(conf.changed(("key: order_id\n    columns", rule)))
    assert problem.where == "sources.orders.expect.paid.othrwise"
    assert problem.expected == "one of otherwise, rule"
    assert problem.hint == "did you mean 'otherwise'?"


def test_a_missing_key_is_named(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("  label: amount > 100\n", "")))
    assert (problem.where, problem.found) == ("model.label", "nothing")
    assert "no default" in problem.expected


def test_a_wrong_choice_gets_the_choices_and_the_nearest(conf: Folder) -> None:
    [problem] = conf.problems(conf.changed(("task: binary", "task: regresion")))
    assert (problem.where, problem.found) == ("model.task", "'regresion'")
    assert problem.expected == "one of binary, multiclass, regression, forecast"
    assert problem.hint == "did you mean 'regression'?"


def test_a_wrong_choice_in_a_list_is_named_by_its_place(conf: Folder) -> None:
    folder = conf.changed(("task: binary", "task: binary\n  algorithms: [xgboost, lightgmb]"))
    [problem] = conf.problems(folder)
    assert (problem.where, problem.found) == ("model.algorithms.1", "'lightgmb'")
    assert problem.hint == "did you mean 'lightgbm'?"


@pytest.mark.parametrize(
    ("where", "found", "expected"),
    [
        ("model.seed", "lucky", "a whole number"),
        ("model.seed", 1.5, "a whole number"),
        ("monitoring.drift.js_distance", "far", "a number"),
        ("monitoring.minimum_rows", 0, "greater than or equal to 1"),
        ("sources.orders.history", "perhaps", "true or false"),
    ],
)
def test_a_wrong_type_says_what_is_expected(conf: Folder, where: str, found: object, expected: str) -> None:
    [problem] = conf.problems(conf.pipeline(), sets=(f"{where}={found}",))
    assert (problem.where, problem.found, problem.expected) == (where, repr(found), expected)


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        ("[7 days]", "[a while]", "features.spending.windows.0", "such as '6 hours'"),
        ("avg(amount)", "median(amount)", "features.spending.measures.mean_amount", "one aggregate of avg"),
        ("pipeline: shop", "pipeline: My Shop", "pipeline", "lower-case letters"),
        ("task: binary", "task: binary\n  metric: r2_score", "model.metric", "roc_auc"),
    ],
)
def test_values_that_cannot_be_right_are_refused(conf: Folder, old: str, new: str, where: str, expected: str) -> None:
    [problem] = conf.problems(conf.changed((old, new)))
    assert problem.where == where
    assert expected in problem.expected


def test_a_key_twice_is_refused(conf: Folder) -> None:
    folder = conf.pipeline(SHOP + "pipeline: other\n")
    [problem] = conf.problems(folder)
    assert problem.found == "the key 'pipeline' stands here a second time"
    assert problem.where == f"line {SHOP.count(chr(10)) + 1}, column 1"


def test_bad_yaml_is_told_with_its_line(conf: Folder) -> None:
    [problem] = conf.problems(conf.pipeline("pipeline: shop\nsources: [\n"))
    assert problem.where.startswith("line 3, column ")
    assert problem.expected == "valid YAML"


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "shop\n"])
def test_a_file_that_is_no_mapping_is_refused(conf: Folder, text: str) -> None:
    [problem] = conf.problems(conf.pipeline(text))
    assert problem.expected == "a mapping of keys to values"


@pytest.mark.parametrize(
    "broken",
    ["path: {{ landing }}", "path: {[a]: b}", "path: 2013-13-45"],
    ids=["braces of a template", "list as key", "no such day"],
)
def test_yaml_that_python_cannot_hold_is_a_problem_and_no_crash(conf: Folder, broken: str) -> None:
    [problem] = conf.problems(conf.changed(("path: orders/*.csv", broken)))
    assert problem.file.endswith("pipeline.yml")


def test_an_impossible_date_in_an_override_is_a_problem_and_no_crash(conf: Folder) -> None:
    [problem] = conf.problems(conf.pipeline(), sets=("model.split.test=2013-13-45",))
    assert problem.file == "--set"


def test_a_file_that_is_not_utf8_is_a_problem_and_no_crash(conf: Folder) -> None:
    folder = conf.pipeline()
    (folder / "pipeline.yml").write_bytes(SHOP.encode() + b"description: caf\xe9\n")
    [problem] = conf.problems(folder)
    assert problem.file == str(folder / "pipeline.yml")


def test_a_missing_file_is_named(conf: Folder) -> None:
    [problem] = conf.problems(conf.conf / "nowhere")
    assert problem.file == str(conf.conf / "nowhere" / "pipeline.yml")
    assert problem.found == "no such file"
    assert "conf/<name>" in problem.hint


def test_a_missing_environment_lists_the_others(conf: Folder) -> None:
    conf.env("staging", "")
    [problem] = conf.problems(conf.pipeline(), env="production")
    assert problem.file == str(conf.conf / "env" / "production.yml")
    assert problem.hint == "there are local, staging"


def test_the_first_environment_is_told_what_it_says(conf: Folder) -> None:
    (conf.conf / "env" / "local.yml").unlink()
    [problem] = conf.problems(conf.pipeline())
    assert problem.file == str(conf.conf / "env" / "local.yml")
    assert "master: local[*]" in problem.hint and "lakeloop init" in problem.hint


def test_a_misspelt_environment_gets_the_nearest(conf: Folder) -> None:
    conf.env("staging", "root: x")
    [problem] = conf.problems(conf.pipeline(), env="stagin")
    assert problem.hint == "did you mean 'staging'?"


def test_sets_override_the_pipeline_and_the_environment(conf: Folder) -> None:
    sets = (
        "model.split.test=2013-10-01",
        "gate.minimum.roc_auc=0.7",
        "sources.orders.missing=[NA, none]",
        "environment.root=/elsewhere",
        "environment.master=local[1]",
    )
    settings = load(conf.pipeline(), sets=sets)
    assert settings.pipeline.model.split.test == "2013-10-01"
    assert settings.pipeline.gate.minimum == {"roc_auc": 0.7}
    assert settings.pipeline.sources["orders"].missing == ["NA", "none"]
    assert settings.pipeline.sources["orders"].path == "orders/*.csv"
    assert settings.environment.root == "/elsewhere"
    assert settings.environment.master == "local[1]"


def test_the_last_override_of_a_key_wins(conf: Folder) -> None:
    settings = load(conf.pipeline(), sets=("model.seed=1", "model.seed=2"))
    assert settings.pipeline.model.seed == 2


@pytest.mark.parametrize("key", ["spark.driver.memory", "'spark.driver.memory'", '"spark.driver.memory"'])
def test_an_override_of_a_spark_setting_keeps_its_dotted_name(conf: Folder, key: str) -> None:
    conf.env("local", "spark: {spark.ui.enabled: false}")
    settings = load(conf.pipeline(), sets=(f"environment.spark.{key}=2g",))
    assert settings.environment.spark == {"spark.ui.enabled": "false", "spark.driver.memory": "2g"}


def test_an_override_of_a_key_with_a_dot_has_it_in_quotes(conf: Folder) -> None:
    settings = load(conf.pipeline(), sets=("sources.orders.columns.'unit.price'=double",))
    assert settings.pipeline.sources["orders"].columns["unit.price"] == "double"


@pytest.mark.parametrize("item", ["model.seed", "=3", "model.seed=[", " =x"])
def test_an_override_that_cannot_be_read_is_told(conf: Folder, item: str) -> None:
    [problem] = conf.problems(conf.pipeline(), sets=(item,))
    assert (problem.file, problem.found) == ("--set", repr(item))
    assert problem.expected.startswith("dotted.key=value")


def test_an_override_is_checked_as_the_file_is(conf: Folder) -> None:
    [problem] = conf.problems(conf.pipeline(), sets=("model.sed=3",))
    assert (problem.where, problem.hint) == ("model.sed", "did you mean 'seed'?")


MERGED = """
  weekly: &weekly
    entity: country
    from: silver.orders
    time: ordered_at
    windows: [7 days]
    measures: {mean_amount: avg(amount)}
  monthly: {<<: *weekly, windows: [28 days]}
model:
"""


def test_merge_keys_share_what_sections_have_in_common(conf: Folder) -> None:
    features = load(conf.changed(("\nmodel:\n", MERGED))).pipeline.features
    assert features["weekly"].windows == ["7 days"]
    assert features["monthly"].windows == ["28 days"]
    assert features["monthly"].measures == {"mean_amount": "avg(amount)"}


def test_merge_keys_of_a_merged_section_are_no_repetition(conf: Folder) -> None:
    deep = """
    columns:
      order_id: int
    options: &first {header: true, sep: ","}
  refunds:
    path: x
    key: order_id
    options: &second {<<: *first, sep: ";"}
  returns: {path: y, key: order_id, options: {<<: *second}}
"""
    text = SHOP.replace("    columns: {order_id: int, ordered_at: timestamp, amount: double, country: string}\n", deep)
    sources = load(conf.pipeline(text)).pipeline.sources
    assert sources["returns"].options == {"header": True, "sep": ";"}


@pytest.mark.parametrize(("by", "written"), [("time", "2013-10-01"), ("time", "90 days"), ("random", "0.2")])
def test_a_split_takes_dates_lengths_and_shares(conf: Folder, by: str, written: str) -> None:
    settings = conf.settings(("task: binary", f"task: binary\n  split: {{by: {by}, test: {written}}}"))
    assert settings.pipeline.model.split.test == written


def test_spark_settings_are_text_as_spark_writes_it(conf: Folder) -> None:
    conf.env("local", "spark: {spark.ui.enabled: false, spark.sql.shuffle.partitions: 4}")
    assert load(conf.pipeline()).environment.spark == {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
    }


def test_the_error_tells_each_problem_in_words(conf: Folder) -> None:
    folder = conf.changed(("task: binary", "task: binry"), ("key: order_id\n    time", "time"))
    with pytest.raises(ConfigurationError) as caught:
        load(folder)
    text = str(caught.value)
    assert text.startswith("2 problems in the configuration\n")
    assert f"{folder / 'pipeline.yml'}: model.task\n  found:    'binry'\n  expected: one of binary" in text
    assert f"{folder / 'pipeline.yml'}: gold.sales.key\n  found:    nothing" in text


def test_fingerprints_follow_the_configuration(conf: Folder) -> None:
    one = conf.settings()
    same = conf.settings()
    other = conf.settings(("amount > 100", "amount > 200"))
    assert one.fingerprint(one.pipeline.model) == same.fingerprint(same.pipeline.model)
    assert one.fingerprint(one.pipeline.model) != other.fingerprint(other.pipeline.model)
    assert one.fingerprint(one.pipeline.gold["sales"]) == other.fingerprint(other.pipeline.gold["sales"])
    assert one.fingerprint("select 1") != one.fingerprint("select 2")
    assert one.fingerprint("a", "b") != one.fingerprint("b", "a")
    assert one.fingerprint({"a": 1, "b": 2}) == one.fingerprint({"b": 2, "a": 1})


def test_raw_files_are_below_the_landing_root_unless_their_path_says_where(conf: Folder) -> None:
    settings = conf.settings()
    assert settings.raw_files("orders/*.csv") == settings.resolve("{landing}") + "/orders/*.csv"
    assert settings.raw_files("/data/orders.csv") == "/data/orders.csv"
    assert settings.raw_files("s3://bucket/orders/") == "s3://bucket/orders/"


@pytest.mark.parametrize(
    ("old", "new", "where", "found", "hint"),
    [
        ("  task: binary", "  task: binary\n  positive: Yes", "model.positive", "True", "goes in quotes"),
        ("label: amount > 100", "label: [amount]", "model.label", "['amount']", "its keys: expression, known_after"),
        (
            "    key: order_id\n    columns",
            "    expect: amount > 0\n    columns",
            "sources.orders.expect",
            "'amount > 0'",
            "such as {distance_is_positive: distance > 0}",
        ),
        ("  orders:\n", "  - orders:\n", "sources", "[{'orders'", "such as {weather:"),
        ("  label: amount > 100", "  label:", "model.label", "nothing", "its keys"),
    ],
)
def test_a_value_of_the_wrong_shape_is_told_how_it_is_written(
    conf: Folder, old: str, new: str, where: str, found: str, hint: str
) -> None:
    [problem] = conf.problems(conf.changed((old, new)))
    assert problem.where == where
    assert problem.found.startswith(found)
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("    key: order_id\n    columns", "\tkey: order_id\n    columns", "spaces"),
        ("path: orders/*.csv", "path: *.csv", "quotes"),
        ("label: amount > 100", "label: `amount` > 100", "quotes"),
        ("label: amount > 100", "label: amount: 100", "quotes"),
        ("  task: binary", "    task: binary", "begin in the same column"),
        ("  spine: gold.sales", " spine: gold.sales", "begin in the same column"),
    ],
)
def test_a_slip_in_yaml_is_told_how_it_is_mended(conf: Folder, old: str, new: str, hint: str) -> None:
    [problem] = conf.problems(conf.changed((old, new)))
    assert problem.where.startswith("line ")
    assert hint in problem.hint


def test_one_algorithm_needs_no_list(conf: Folder) -> None:
    settings = conf.settings(("task: binary", "task: binary\n  algorithms: xgboost"))
    assert settings.pipeline.model.algorithm_names() == ["xgboost"]


def test_a_folder_without_a_use_case_gets_the_nearest_that_has_one(conf: Folder) -> None:
    conf.pipeline()
    [problem] = conf.problems(conf.conf / "shopp", env="nowhere")
    assert problem.hint == f"did you mean {conf.conf / 'shop'}?"
    [problem] = conf.problems(conf.conf / "bakery")
    assert str(conf.conf / "shop") in problem.hint


def test_the_file_stands_for_its_folder(conf: Folder) -> None:
    assert load(conf.pipeline() / "pipeline.yml").folder == conf.conf / "shop"
