"""Raw files become a pipeline.yml that check finds nothing wrong with; keys are tested over all rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SPARK
from pyspark.sql import SparkSession

from lakeloop import cli
from lakeloop.checking import Check
from lakeloop.config import Environment, load
from lakeloop.errors import DataError
from lakeloop.onboarding import columns, identity
from lakeloop.onboarding.draft import Draft
from lakeloop.onboarding.files import look
from lakeloop.onboarding.start import draft, provisional

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


def test_what_values_are_is_counted(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [
            ("1", "1.5", "2024-01-31", "31/01/2024 10:30", "true", "007", "1,234.5", "north", 1, "3000000000"),
            ("2", "-", "2024-02-01", "01/02/2024 23:59", "FALSE", "012", "$12", "south", 2, "1"),
            (" 3 ", "2e3", "2024-02-30", "02/02/2024 00:00", "t", "1", "7%", "?", 3, "2"),
            (None, " ", None, None, None, None, None, "NA", None, None),
        ],
        "whole string, number string, day string, at string, yes string, code string, written string, word string, "
        "typed int, big string",
    )
    found, left = columns.leaves(rows.schema)
    seen = dict(zip([leaf.name for leaf in found], columns.seen(rows, found), strict=True))

    assert left == []
    assert {name: (item.rows, item.present, item.blank, item.distinct) for name, item in seen.items()} == {
        name: (4, *counts)
        for name, counts in {
            "whole": (3, 0, 3), "number": (3, 1, 3), "day": (3, 0, 3), "at": (3, 0, 3), "yes": (3, 0, 3),
            "code": (3, 0, 3), "written": (3, 0, 3), "word": (4, 0, 4), "typed": (3, 0, 3), "big": (3, 0, 3),
        }.items()
    }  # fmt: skip
    assert seen["number"].missing == {"-": 1}
    assert seen["word"].missing == {"?": 1, "NA": 1}
    assert [(seen[name].word, seen[name].words) for name in ("number", "word")] == [("", 0), ("south", 1)]
    assert (seen["day"].passed["date"], seen["at"].passed["d/M/yyyy H:mm"]) == (2, 3)
    understood, missing = columns.understood(found, list(seen.values()))
    assert missing == ["-", "?", "NA"]
    assert {column.name: column.type for column in understood} == {
        "whole": "int", "number": "double", "day": "string", "at": "timestamp", "yes": "boolean", "code": "string",
        "written": "double", "word": "string", "typed": "int", "big": "bigint",
    }  # fmt: skip


def test_a_key_has_no_repeated_and_no_incomplete_value(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(1, 1, "a", 1), (2, 1, "b", 2), (3, 2, "a", 3), (4, 2, "b", 3), (None, 3, "a", 4)],
        "a_id int, shop_id int, day string, near_id int",
    )
    tried = [("a_id",), ("near_id",), ("shop_id", "day")]
    assert identity.identify(rows, tried) == identity.Identity(("shop_id", "day"), 5)
    assert identity.identify(rows, tried[:2]) == identity.Identity((), 5, "a_id", 1)


def test_a_split_by_time_leaves_a_fifth_of_the_rows_to_the_test(spark: SparkSession) -> None:
    days = [(date(2024, 1, 1) + timedelta(days=number // 2),) for number in range(200)]
    rows = spark.createDataFrame(days, "day date")
    assert identity.span(rows, "day") == identity.Span("day", "16 days", "20 days", "1 month")
    assert identity.span(spark.createDataFrame(days[:2], "day date"), "day") is None


def test_regular_times_that_come_once_each_have_a_step(spark: SparkSession) -> None:
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)

    def step(hours: list[int]) -> int | None:
        return identity.step(
            spark.createDataFrame([(start + timedelta(hours=at),) for at in hours], "at timestamp"), "at"
        )

    assert step([hour for hour in range(100) if hour != 50]) == 3600
    assert step(list(range(100, 200, 24)) * 1 + list(range(220, 600, 24))) == 86_400
    assert step([*range(50), 49]) is None
    assert step([hour * hour for hour in range(50)]) is None
    both = [(name, start + timedelta(hours=at)) for name in ("a", "b") for at in range(20) if (name, at) != ("b", 7)]
    assert identity.step(spark.createDataFrame(both, "name string, at timestamp"), "at", ["name"]) == 3600
    assert identity.step(spark.createDataFrame(both, "name string, at timestamp"), "at") is None


def _orders(folder: Path) -> Path:
    """Forty orders, a text in latin-1, with what needs care: names, dates, decimal commas, missing values."""
    lines = ["order id;Prénom;the day;amount;grade;churned"]
    for number in range(40):
        day = date(2024, 1, 1) + timedelta(days=number)
        amount = "-" if number == 7 else f"{number},5"
        lines.append(f"o{number};{'Zoë' if number % 2 else 'Bob'};{day:%d.%m.%Y};{amount};{number % 3};"
                     f"{'yes' if number % 3 else 'no'}")  # fmt: skip
    file = folder / "orders.csv"
    file.write_text("\n".join(lines), encoding="latin-1")
    return file


def test_a_file_becomes_a_use_case_without_a_problem(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, conf = _orders(tmp_path), tmp_path / "conf"
    sets = ["--set", f"environment.root={tmp_path / 'lh'}"]

    assert cli.main(["init", "shop", "--from", str(file), "--conf", str(conf), *sets]) == 0

    told = capfd.readouterr().out
    assert f"lakeloop check {conf}/shop" in told
    assert "sources.orders.columns.amount" in told
    settings = load(conf / "shop")
    source, model = settings.pipeline.sources["orders"], settings.pipeline.model
    assert source.options == {"encoding": "ISO-8859-1", "sep": ";"}
    assert (source.key, source.missing) == (["order_id"], ["-"])
    assert source.columns == {
        "order_id": "string",
        "prenom": "`Prénom`",
        "the_day": "cast(try_to_timestamp(`the day`, 'd.M.yyyy') as date)",
        "amount": "try_cast(replace(replace(`amount`, '.', ''), ',', '.') as double)",
        "grade": "int",
        "churned": "string",
    }
    assert (model.task, model.label.expression, model.positive) == ("binary", "churned", "yes")
    assert (model.spine, model.split.by, model.split.test) == ("gold.orders", "time", "8 days")
    assert settings.pipeline.gold["orders"].increment_by == "the_day"
    check = Check(spark, settings, NOW).analyse()
    assert check.problems == []
    row = check.tables["gold.orders"].filter("order_id = 'o8'").collect()[0]
    assert (row["prenom"], row["the_day"], row["amount"], row["grade"]) == ("Bob", date(2024, 1, 9), 8.5, 2)


def _drafted(spark: SparkSession, path: Path, label: str | None = None) -> Draft:
    files = look(str(path))
    settings = provisional(Path("conf/shop"), files, Environment(root="/nowhere", master="local", spark=SPARK))
    return draft(spark, settings, files, label, NOW)


def test_series_in_files_of_their_own_become_a_forecast_of_each(spark: SparkSession, tmp_path: Path) -> None:
    hours = [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(40)]
    table = pa.table({"at": pa.array(hours, pa.timestamp("ns")), "kwh": [hour % 24 + 0.5 for hour in range(40)]})
    for name in ("harbour", "airport"):
        pq.write_table(table, tmp_path / f"{name}_2024-01-01.parquet")

    made = _drafted(spark, tmp_path, "kwh")

    assert (made.key, made.entity, made.step) == (("series", "at"), ("series",), 3600)
    assert (made.outcome.task, made.identity.rows) == ("forecast", 80)
    assert {column.name: column.text for column in made.columns if column.name != "series"} == {
        "at": "timestamp_micros(`at` div 1000)", "kwh": "double",
    }  # fmt: skip


def test_a_label_that_identifies_rows_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    rows = [f"{number // 2},{number % 2},{number % 3}" for number in range(20)]
    file.write_text("\n".join(["shop_id,till_id,kind", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match=r"--label shop_id: the column belongs to the key \(shop_id, till_id\)"):
        _drafted(spark, file, "shop_id")
