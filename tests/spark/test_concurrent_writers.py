"""Somebody else writes to a table between our look and our commit: nothing is lost, and nothing comes twice."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import MakeUseCase
from pyspark.errors import PySparkException

from lakeloop.derivation import ByKey, Derivation
from lakeloop.tables import Lakehouse, Table

SCHEMA = "id int, x int"
IN, OUT = Table("silver", "a"), Table("gold", "out")
BY_KEY = Derivation(OUT, (IN,), lambda rows: rows[IN], ByKey(("id",)), "v1")


def test_what_follows_the_same_version_is_appended_once(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.a", [(1, 10)], SCHEMA)
    rows = case.spark.createDataFrame([(2, 20)], SCHEMA)
    for run in ("one", "other"):
        case.lakehouse.append(IN, rows, {"run": run}, after=0)
    assert case.rows("silver.a") == [(1, 10), (2, 20)]
    case.lakehouse.append(IN, rows, {"run": "next"}, after=case.version("silver.a"))
    assert case.rows("silver.a") == [(1, 10), (2, 20), (2, 20)]


def test_a_refused_commit_is_derived_once_more(use_case: MakeUseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    case = use_case()
    case.write("silver.a", [(1, 10)], SCHEMA)
    case.engine().derive(BY_KEY)
    case.append("silver.a", [(2, 20)], SCHEMA)
    refused: list[object] = []
    merge = Lakehouse.merge

    def too_late(lakehouse: Lakehouse, table: Table, *args: Any, **options: Any) -> None:
        if not refused:
            case.sql("UPDATE {gold.out} SET x = 11")
            refused.append(table)
            raise PySparkException("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] Transaction conflict detected.")
        merge(lakehouse, table, *args, **options)

    monkeypatch.setattr(Lakehouse, "merge", too_late)
    outcome = case.engine().derive(BY_KEY)

    assert refused == [OUT]
    assert (outcome.action, outcome.version) == ("updated", 2)
    assert case.rows("gold.out") == [(1, 11), (2, 20)]
    assert case.engine().derive(BY_KEY).action == "unchanged"
