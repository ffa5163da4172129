"""The drafted pipeline.yml is the language itself: it loads as it is, short, with a comment at each doubt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pyspark.sql import types as T

from lakeloop.config import load
from lakeloop.config.schema import SCHEMA_FILE, SCHEMA_LINE
from lakeloop.onboarding.columns import Column, Leaf, Seen
from lakeloop.onboarding.draft import Draft, expression, scalar, text
from lakeloop.onboarding.files import Files
from lakeloop.onboarding.home import Home
from lakeloop.onboarding.identity import Identity, Span
from lakeloop.onboarding.outcome import Outcome, ahead


def column(name: str, type_: str = "string", text: str = "", notes: tuple[str, ...] = ()) -> Column:
    leaf = Leaf(name, f"`{name}`", name, T.StringType())
    return Column(leaf, type_, text or type_, Seen(9, 9, distinct=3), notes=notes)


LABEL = column("class")
DRAFT = Draft(
    name="shop",
    source="orders",
    files=Files("/data/my orders/*.csv", "orders", "csv", {"sep": ";", "header": False}, ["read as ISO-8859-1"]),
    columns=[
        column("id", "int"),
        column("no", "double", notes=("2 of 9 values are '-\n#', taken as missing",)),
        column("day", "date", "cast(try_to_timestamp(`the day`, 'd/M/yyyy') as date)"),
        column("note"),
        LABEL,
    ],
    missing=["?", "-", "NA"],
    identity=Identity(("id",), 9),
    time=None,
    span=None,
    outcome=Outcome(LABEL, "binary", "Yes", ("the rarer value",)),
    guessed=True,
    exclude=[("note", "texts that are nearly all different")],
)


def test_the_text_says_what_was_found(tmp_path: Path) -> None:
    assert (
        text(DRAFT)
        == """\
pipeline: shop
sources:
  orders:
    # read as ISO-8859-1
    path: /data/my orders/*.csv
    options: {sep: ;, header: false}
    missing: ["?", "-", NA]
    key: id
    columns:
      id: int
      "no": double                            # 2 of 9 values are '- #', taken as missing
      day: cast(try_to_timestamp(`the day`, 'd/M/yyyy') as date)
      note: string
      class: string
model:
  task: binary
  spine: silver.orders
  label: class                                # a guess; --label COLUMN names another; the rarer value
  positive: "Yes"
  exclude: note                               # note: texts that are nearly all different
  split: {by: random, validation: 0.2, test: 0.2}
"""
    )


def test_a_laptop_is_set_as_the_examples_are(tmp_path: Path) -> None:
    file = Home(tmp_path / "conf", "shop").environment()
    assert file is not None
    assert file.read_text() == (Path(__file__).parents[3] / "conf" / "env" / "local.yml").read_text()


def test_the_text_loads_as_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path / "conf", "shop")
    home.check()
    assert home.environment() == tmp_path / "conf" / "env" / "local.yml"
    assert home.environment() is None
    assert home.schema() == tmp_path / "conf" / SCHEMA_FILE
    assert home.schema() is None
    timed = replace(DRAFT, time=DRAFT.columns[2], span=Span("day", "20 days", "30 days", "1 week"))

    file = home.write(text(timed))
    settings = load(file.parent)

    assert file.read_text(encoding="utf-8").startswith(f"{SCHEMA_LINE}\npipeline: shop\n")

    source = settings.pipeline.sources["orders"]
    assert source.options == {"sep": ";", "header": False}
    assert source.missing == ["?", "-", "NA"]
    assert source.columns == {item.name: item.text for item in DRAFT.columns}
    assert settings.pipeline.model.spine == "gold.orders"
    gold = settings.pipeline.gold["orders"]
    assert (gold.time, gold.increment_by) == ("day", "day")
    assert settings.pipeline.model.split.test == "30 days"
    assert settings.pipeline.model.positive == "Yes"
    assert settings.pipeline.monitoring.window == "1 week"


@pytest.mark.parametrize(("name", "expected"), [("at", "to_date(at)"), ("case", "to_date(`case`)")])
def test_gold_is_made_by_the_date_of_its_time(tmp_path: Path, name: str, expected: str) -> None:
    time = column(name, "timestamp")
    taken = [column(f"{name}_Date"), column(f"{name}_date_2")]
    home = Home(tmp_path / "conf", "shop")
    home.environment()
    for columns, day in (([], f"{name}_date"), (taken, f"{name}_date_3")):
        timed = replace(DRAFT, columns=[*DRAFT.columns, time, *columns], time=time, span=Span(name, "2 days", "3 days"))

        file = home.write(text(timed))
        pipeline = load(file.parent).pipeline
        file.unlink()

        assert pipeline.sources["orders"].columns[day] == expected
        assert (pipeline.gold["orders"].time, pipeline.gold["orders"].increment_by) == (name, day)


def test_a_number_that_only_its_past_tells_is_drafted_as_a_forecast(tmp_path: Path) -> None:
    outcome = ahead(Outcome(column("temp", "double"), "regression"))
    series = replace(DRAFT, outcome=outcome, time=DRAFT.columns[2], span=Span("day", "20 days", "30 days"), step=3600,
        exclude=[], identity=Identity(("day",), 9))  # fmt: skip
    home = Home(tmp_path / "conf", "shop")
    home.environment()

    pipeline = load(home.write(text(series)).parent).pipeline

    assert (pipeline.model.task, pipeline.model.horizon, pipeline.model.season) == ("forecast", "1 day", "1 day")
    past = pipeline.features["past"]
    assert (past.entity, past.from_, past.resolution, past.lags) == ([], "gold.orders", "1 hour", ["1 day"])
    assert past.measures == {"mean": "avg(temp)"}


def test_rows_that_belong_together_are_told_where_the_split_is_random() -> None:
    told = "rows of one nr come on both sides; by: group with group: nr keeps them together"
    assert f"test: 0.2}}  # {told}\n" in text(replace(DRAFT, group="nr"))
    assert ("model.split", told) in replace(DRAFT, group="nr").doubts()
    assert replace(DRAFT, group="nr", span=Span("day", "20 days", "30 days")).together() == []


def test_series_of_several_are_told_apart(tmp_path: Path) -> None:
    span = Span("day", "20 days", "30 days")
    made = replace(
        DRAFT,
        time=DRAFT.columns[2],
        span=span,
        step=86_400,
        exclude=[],
        identity=Identity(("id", "day"), 9),
        entity=("id",),
    )
    ahead_of_all = replace(made, outcome=ahead(Outcome(column("temp", "double"), "regression")))
    home = Home(tmp_path / "conf", "shop")
    home.environment()

    pipeline = load(home.write(text(ahead_of_all)).parent).pipeline

    assert (pipeline.model.entity, pipeline.features["past"].entity) == (["id"], ["id"])
    assert "  include: id\n" in text(made)


@pytest.mark.parametrize(
    "value",
    ["?", "-", "NA", "yes", "1", "0.5", "2024-01-01", ": x", "a: b", "a #b", "`x`", "'q'", '"q"', "é", "\t", ""],
)
@pytest.mark.parametrize("inside", [True, False])
def test_a_text_is_read_back_as_it_was(value: str, inside: bool) -> None:
    line = f"k: [{scalar(value, inside=True)}, x]" if inside else f"k: {scalar(value)}"
    found = yaml.safe_load(line)["k"]
    assert (found[0] if inside else found) == value


def test_a_label_that_is_a_word_of_sql_stands_in_backticks() -> None:
    assert [expression(name) for name in ("class", "case", "values")] == ["class", "`case`", "`values`"]


def test_what_is_unsure_is_told_with_its_place() -> None:
    unsure = replace(DRAFT, identity=Identity((), 9, "id", 2))
    assert ("sources.orders.columns.no", "2 of 9 values are '-\n#', taken as missing") in unsure.doubts()
    [told] = [note for where, note in unsure.doubts() if where == "sources.orders.key"]
    assert "id repeats in 2 of 9 rows" in told
    assert f"    # {told}" in text(unsure)
