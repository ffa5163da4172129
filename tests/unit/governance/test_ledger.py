"""The ledger has a line a stage and a line a table that was written, and no value of the data."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from pyspark.errors import AnalysisException

from lakeloop.derive import Outcome
from lakeloop.errors import DataError, LakeloopError
from lakeloop.governance.ledger import entries, told
from lakeloop.modelling.train import Trained
from lakeloop.pipeline import Step
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion

from ..conftest import Folder

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def step(stage: str, what: str, minute: int, result: Outcome | Trained | None = None, **more: BaseException) -> Step:
    """Something that took the minute after that one of the hour."""
    return Step(stage, what, NOON + timedelta(minutes=minute), NOON + timedelta(minutes=minute + 1), result, **more)


def trained(promoted: bool) -> Trained:
    return Trained(ModelVersion("shop", "4", "r", (), {}), "ridge", "m", {}, {}, [], promoted, False, 70)


ORDERS = Outcome(Table("silver", "orders"), "updated", 3, 12, 11, 1.0, "", {"bronze.orders": 5})
IDLE = Outcome(Table("quarantine", "orders"), "unchanged", 1)


def test_a_stage_and_each_table_that_it_wrote_are_lines(conf: Folder) -> None:
    settings = conf.settings()
    steps = [step("silver", "quarantine.orders", 0, IDLE), step("silver", "silver.orders", 1, ORDERS)]
    steps += [step("silver", "", 0), step("train", "shop", 3, trained(False)), step("train", "", 3)]

    found = entries(steps, settings, "run-1", "ann", {"features.sales": 2})

    assert [(item.stage, item.table, item.action, item.result) for item in found] == [
        ("silver", "silver.orders", "updated", "succeeded"),
        ("silver", None, "changed", "succeeded"),
        ("train", "shop", "trained", "refused"),
        ("train", None, "changed", "refused"),
    ]
    orders, silver, model, _ = found
    assert (orders.versions_read, orders.version_written, orders.rows_in, orders.rows_out) == (
        {"bronze.orders": 5}, 3, 12, 11,
    )  # fmt: skip
    assert (orders.run_id, orders.user, orders.started, orders.finished) == (
        "run-1", "ann", NOON + timedelta(minutes=1), NOON + timedelta(minutes=2),
    )  # fmt: skip
    assert (model.versions_read, model.version_written, model.rows_in) == ({"features.sales": 2}, 4, 70)
    assert silver.configuration is None and orders.configuration is not None
    assert json.loads(orders.configuration)["sources"]["orders"]["key"] == ["order_id"]
    assert orders.configuration_hash == silver.configuration_hash
    other = entries(steps, conf.settings(("amount: double", "amount: int")), "run-2", "ann", {})
    assert other[0].configuration_hash != orders.configuration_hash


def test_a_run_without_news_has_no_line_and_one_that_failed_has(conf: Folder) -> None:
    idle = [step("silver", "quarantine.orders", 0, IDLE), step("silver", "", 0)]
    assert entries(idle, conf.settings(), "run-1", "ann", {}) == []

    error = DataError("no such table")
    steps = [*idle, step("gold", "gold.sales", 1, error=error), step("gold", "", 1, error=error)]
    failed = entries(steps, conf.settings(), "r", "ann", {})
    assert [(item.stage, item.table, item.result, item.error) for item in failed] == [
        ("silver", None, "succeeded", None),
        ("gold", "gold.sales", "failed", "DataError: no such table"),
        ("gold", None, "failed", "DataError: no such table"),
    ]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def test_an_error_is_told_without_values_that_spark_or_python_quote() -> None:
    spark = AnalysisException("[CAST_INVALID_INPUT] 'Ann' cannot be cast")
    assert told(caused(LakeloopError("silver: 'Ann' is no number"), spark)) == "LakeloopError: AnalysisException"
    assert told(caused(LakeloopError("Ann"), KeyError("Ann"))) == "LakeloopError: KeyError"
    assert told(ValueError("Ann")) == "ValueError"
    assert told(LakeloopError("words " * 200)).startswith("LakeloopError: words")
    assert len(told(LakeloopError("words " * 200))) == 500
