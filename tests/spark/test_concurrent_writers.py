"""Somebody else writes to a table between our look and our commit: nothing is lost, and nothing comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import MakeUseCase
from deltalake import DeltaTable
from pyspark.errors import PySparkException

from lakeloop.derivation import ByKey, BySlice, Derivation
from lakeloop.tables import Lakehouse, Table

SCHEMA = "id int, x int"
IN, OUT = Table("silver", "a"), Table("gold", "out")
BY_KEY = Derivation(OUT, (IN,), lambda rows: rows[IN], ByKey(("id",)), "v1")
BY_SLICE = Derivation(OUT, (IN,), lambda rows: rows[IN], BySlice("id", {IN: "id"}, frozenset({IN})), "v1")


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


@pytest.mark.parametrize("identity", [ByKey(("id",)), BySlice("id", {IN: "id"}, frozenset({IN}))])
def test_another_program_commits_while_rows_are_computed(
    use_case: MakeUseCase, tmp_path: Path, identity: ByKey | BySlice
) -> None:
    """A program without Spark changes the row that a run is about to write: Delta refuses the run's commit."""
    case = use_case()
    case.write("silver.a", [(1, 10), (2, 20)], SCHEMA)
    place, was_here, wanted = case.lakehouse.location(OUT), tmp_path / "was_here", tmp_path / "wanted"

    def meddle(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        if wanted.exists() and not was_here.exists():
            was_here.touch()
            DeltaTable(place).update(updates={"x": "x + 100"}, predicate="id > 0")
        yield from batches

    derivation = Derivation(OUT, (IN,), lambda rows: rows[IN].mapInPandas(meddle, SCHEMA), identity, "v1")
    case.engine().derive(derivation)
    case.sql("UPDATE {silver.a} SET x = 11 WHERE id = 1")
    wanted.touch()
    outcome = case.engine().derive(derivation)

    assert was_here.exists()
    assert (outcome.action, outcome.version) == ("updated", 2)
    assert case.rows("gold.out") == [(1, 11), (2, 120)]
    assert case.engine().derive(derivation).action == "unchanged"


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_new_slice_is_added_once_by_two_runs_at_once(
    use_case: MakeUseCase, monkeypatch: pytest.MonkeyPatch, rebuild: bool
) -> None:
    case = use_case()
    case.write("silver.a", [(1, 10)], SCHEMA)
    case.engine().derive(BY_SLICE)
    case.append("silver.a", [(2, 20)], SCHEMA)
    holds, actions = Lakehouse.holds, []

    def other_run_is_quicker(lakehouse: Lakehouse, table: Table, predicate: str) -> bool:
        monkeypatch.setattr(Lakehouse, "holds", holds)
        found = holds(lakehouse, table, predicate)
        actions.append(case.engine(rebuild, run="other").derive(BY_SLICE).action)
        return found

    monkeypatch.setattr(Lakehouse, "holds", other_run_is_quicker)
    case.engine().derive(BY_SLICE)

    assert actions == ["rebuilt" if rebuild else "updated"]
    assert case.rows("gold.out") == [(1, 10), (2, 20)]
    assert case.engine().derive(BY_SLICE).action == "unchanged"


def test_what_the_log_says_of_another_table_keeps_no_rows_away(use_case: MakeUseCase) -> None:
    """As in a deep clone, whose log may know what was written to the original, at greater versions."""
    case = use_case()
    case.write("silver.a", [(1, 10)], SCHEMA)
    case.engine().derive(BY_SLICE)
    case.lakehouse.append(OUT, case.spark.createDataFrame([], SCHEMA), {}, after=100)
    case.engine(rebuild=True).derive(BY_SLICE)
    case.append("silver.a", [(2, 20)], SCHEMA)
    case.engine().derive(BY_SLICE)
    assert case.rows("gold.out") == [(1, 10), (2, 20)]
    case.sql("UPDATE {silver.a} SET x = 21 WHERE id = 2")
    case.engine().derive(BY_SLICE)
    assert case.rows("gold.out") == [(1, 10), (2, 21)]
    assert case.engine().derive(BY_SLICE).action == "unchanged"


def test_nor_from_a_table_that_is_made_anew_with_other_statistics(use_case: MakeUseCase) -> None:
    case = use_case()
    case.write("silver.a", [(1, 10)], SCHEMA)
    dated = replace(
        BY_SLICE, compute=lambda rows: rows[IN].selectExpr("*", "date'2024-01-01' AS day"), fingerprint="v0"
    )
    case.engine().derive(dated)
    case.lakehouse.append(OUT, case.lakehouse.read(OUT).limit(0), {}, after=100)
    assert case.engine().derive(BY_SLICE).action == "rebuilt"
    assert case.rows("gold.out") == [(1, 10)]
