"""What a run did is written down once, can be read back, and tells what was changed in the configuration since."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from conftest import MakeUseCase, UseCase

from lakeloop.errors import DefinitionChanged
from lakeloop.governance import ledger, lineage, plan, quarantine
from lakeloop.pipeline import Run
from lakeloop.report import Reporter

ORDERS = """
sources: {orders: {path: orders/*.csv, key: id, columns: {id: int, total: double}}}
gold: {sales: {sql: select * from silver.orders, key: id}}
"""
RAW = (
    "id string, total string, _corrupt_record string, _source_file string, "
    "_source_modified_at timestamp, _ingested_at timestamp"
)
NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def new_run(case: UseCase, name: str) -> Run:
    """A run without a champion."""
    run = Run(case.spark, case.settings, name, NOW, Reporter(quiet=True), clock=lambda: NOW)
    run._tracking = SimpleNamespace(champion=lambda: None, model="shop")  # type: ignore[assignment]
    return run


def test_a_run_is_written_down_and_a_changed_configuration_is_told(use_case: MakeUseCase) -> None:
    case = use_case(ORDERS)
    case.write("bronze.orders", [("1", "2", None, "f.csv", NOW, NOW)], RAW)
    said: list[str] = []
    run = new_run(case, "run-1")
    with ledger.recorded(run, said.append):
        run.stage("silver")
    idle = new_run(case, "run-2")
    with ledger.recorded(idle, said.append):
        idle.stage("silver")

    assert said == []
    assert case.version("governance.ledger") == 0
    assert case.rows("governance.ledger", "stage", "table", "action", "versions_read", "version_written") == [
        ("silver", "quarantine.orders", "created", {"bronze.orders": 0}, 0),
        ("silver", "silver.orders", "created", {"bronze.orders": 0}, 0),
        ("silver", None, "changed", {}, None),
    ]
    (found,) = ledger.last_runs(case.lakehouse, 5)
    assert (found.run_id, found.result, found.stages, found.tables_written) == ("run-1", "succeeded", ["silver"], 2)

    nodes = lineage.collect(new_run(case, "look"))
    assert [(node.name, node.version, node.state) for node in nodes.values() if node.name.startswith(("s", "g"))] == [
        ("silver.orders", 0, "up to date"), ("gold.sales", None, "not there yet"),
    ]  # fmt: skip

    changed = new_run(use_case(ORDERS.replace("double", "int")), "run-3")
    with pytest.raises(DefinitionChanged) as caught:
        plan.refuse_changes(changed, ("bronze", "silver", "gold"), "conf/shop")
    assert str(caught.value).splitlines()[1:-1] == [
        "  quarantine.orders: its definition changed",
        "  silver.orders: its definition changed",
        '  sources.orders.columns.total: "double" → "int"',
    ]
    assert [(item.table, item.action, item.why) for item in plan.plan(changed)] == [
        ("bronze.orders", "look", "the source keeps no log of what was read"),
        ("quarantine.orders", "rebuild", "its definition changed"),
        ("silver.orders", "rebuild", "its definition changed"),
        ("gold.sales", "create", "it is not there yet"),
        ("features.orders", "create", "it is not there yet"),
        ("shop", "train", "its training set will change"),
        ("score", "wait", "there is no champion yet"),
        ("monitor", "wait", "there is no champion yet"),
    ]

    replayed = quarantine.replayed(changed, "orders", dry_run=False)
    assert (replayed.counts[0], replayed.changed, replayed.after) == (quarantine.Judgement("", 0, 0, 0), True, 0)
    assert changed.changed_definitions(("silver",)) == {}


def test_a_run_does_not_fail_where_its_ledger_cannot_be_written(
    use_case: MakeUseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Run) -> None:
        raise OSError("no room")

    monkeypatch.setattr(ledger, "write", fail)
    said: list[str] = []
    with ledger.recorded(new_run(use_case(), "run-1"), said.append):
        pass
    assert said == ["the ledger (governance.ledger) was not written: no room"]
