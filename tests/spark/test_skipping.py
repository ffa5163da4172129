"""Statistics are kept of the columns that rows are looked up by, and the table can be made anew with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import types as T

from lakeloop import skipping
from lakeloop.config.maintenance import Maintenance
from lakeloop.derivation import BySlice, Derivation
from lakeloop.errors import ConfigurationError
from lakeloop.maintenance import maintain
from lakeloop.tables import Table

IN, OUT = Table("silver", "a"), Table("gold", "out")
SCHEMA = "id int, day date, region string, ok boolean, at struct<seen: timestamp>, x int"


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.write("silver.a", [(1, None, "north", True, None, 10)], SCHEMA)
    return made


def made(*columns: str, fingerprint: str = "v1") -> Derivation:
    identity = BySlice("region", {IN: "region"}, frozenset({IN}), key=("id", "ok"))
    return Derivation(OUT, (IN,), lambda rows: rows[IN].selectExpr(*columns), identity, fingerprint)


def with_statistics(case: UseCase, table: Table) -> list[str]:
    """The columns of which the newest file that was written has statistics."""
    for commit in sorted(Path(case.lakehouse.location(table), "_delta_log").glob("*.json"), reverse=True):
        for action in map(json.loads, commit.read_text(encoding="utf-8").splitlines()):
            if "add" in action:
                counts: dict[str, Any] = json.loads(action["add"]["stats"])["nullCount"]
                return list(counts)
    raise AssertionError(f"{table} has no file")


def test_of_key_slice_dates_and_times(case: UseCase) -> None:
    case.engine().derive(made("*"))
    # Delta can keep none of what is true or false.
    assert with_statistics(case, OUT) == ["id", "day", "region", "at"]
    case.append("silver.a", [(2, None, "south", True, None, 20)], SCHEMA)
    case.engine().derive(made("*"))
    assert with_statistics(case, OUT) == ["id", "day", "region", "at"]


def test_a_table_is_made_anew_without_a_column_that_had_them(case: UseCase) -> None:
    case.engine().derive(made("*"))
    for columns, kept in [
        (("id", "region", "x"), ["id", "region"]),
        # What was not there before, or of a type without statistics, has none yet.
        (("id", "ok AS region", "date'2024-01-01' AS day"), ["id"]),
        (("ok AS id", "x AS region"), None),
        (("id", "region", "day"), ["region"]),
    ]:
        outcome = case.engine().derive(made(*columns, fingerprint=str(columns)))
        assert (outcome.action, outcome.reason) == ("rebuilt", "its definition changed")
        if kept is not None:
            assert with_statistics(case, OUT) == kept
        assert case.rows("gold.out") == [tuple(row) for row in case.lakehouse.read(IN).selectExpr(*columns).collect()]
        assert case.engine().derive(made(*columns, fingerprint=str(columns))).action == "unchanged"


def test_maintenance_adds_dates_times_and_what_the_policy_names(case: UseCase) -> None:
    case.engine().derive(made("id", "region"))
    case.engine().derive(made("*", fingerprint="v2"))
    assert with_statistics(case, OUT) == ["id", "region"]
    maintain(case.lakehouse, OUT, Maintenance(statistics={"gold.out": ["x"]}), "r1")
    case.append("silver.a", [(2, None, "south", True, None, 20)], SCHEMA)
    assert case.engine().derive(made("*", fingerprint="v2")).action == "updated"
    assert with_statistics(case, OUT) == ["id", "day", "region", "at", "x"]


@pytest.mark.parametrize("column", ["gone", "ok"])
def test_a_column_that_delta_keeps_no_statistics_of_is_told_where_it_is_asked_for(case: UseCase, column: str) -> None:
    case.engine().derive(made("*"))
    with pytest.raises(ConfigurationError) as told:
        maintain(case.lakehouse, OUT, Maintenance(statistics={"gold.out": [column]}), "r1")
    [problem] = told.value.problems
    assert (problem.where, problem.found) == ("maintenance.statistics.gold.out", column)


def test_names_are_quoted() -> None:
    schema = T.StructType().add("a`b", T.IntegerType()).add("c", T.StructType().add("d.e", T.DateType()))
    assert skipping.value(skipping.columns(schema, ["a`b"])) == "`a``b`,`c`.`d.e`"
    assert skipping.value(skipping.columns(schema, [])) == "`c`.`d.e`"


def test_what_somebody_else_set_is_kept(case: UseCase) -> None:
    case.engine().derive(made("*"))
    case.sql("ALTER TABLE {gold.out} SET TBLPROPERTIES ('delta.dataSkippingStatsColumns' = 'x, day')")
    maintain(case.lakehouse, OUT, Maintenance(statistics={"gold.out": ["id"]}), "r1")
    assert case.lakehouse.detail(OUT).properties[skipping.PROPERTY] == "x,day,`id`,`at`.`seen`"
