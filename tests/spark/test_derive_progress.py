"""A derivation runs when its inputs changed, and only then; its commit says what it consumed."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame

from lakeloop.derivation import Appended, ByKey, BySlice, Derivation, Rows
from lakeloop.derive import NOTED_AFTER, Engine, Outcome
from lakeloop.tables import Table

IN, OTHER, OUT = Table("silver", "a"), Table("silver", "b"), Table("gold", "out")
SCHEMA = "id int, x int"


def doubled(rows: Rows) -> DataFrame:
    return rows[IN].selectExpr("id", "x * 2 AS x")


BY_KEY = Derivation(OUT, (IN,), doubled, ByKey(("id",)), "v1")


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.write("silver.a", [(1, 10), (2, 20)], SCHEMA)
    return made


def run(case: UseCase, derivation: Derivation = BY_KEY, rebuild: bool = False) -> Outcome:
    return case.engine(rebuild, run="r7").derive(derivation)


def said(outcome: Outcome) -> tuple[str, int, int, int, str]:
    return outcome.action, outcome.version, outcome.rows_in, outcome.rows_out, outcome.reason


def test_what_was_consumed_is_in_the_commit(case: UseCase) -> None:
    case.append("silver.a", [(3, 30)], SCHEMA)

    assert said(run(case)) == ("created", 0, 3, 3, "")

    history = case.sql("DESCRIBE HISTORY {gold.out}").collect()
    assert [json.loads(row["userMetadata"]) for row in history] == [
        {"lakeloop": {"consumed": {"silver.a": 1}, "fingerprint": "v1", "run": "r7"}}
    ]


def test_it_is_unchanged_until_its_input_changes_and_then_updated(case: UseCase) -> None:
    run(case)
    assert said(run(case)) == ("unchanged", 0, 0, 0, "")

    case.append("silver.a", [(3, 30)], SCHEMA)
    assert said(run(case)) == ("updated", 1, 1, 1, "")
    assert case.rows("gold.out") == [(1, 20), (2, 40), (3, 60)]
    assert said(run(case)) == ("unchanged", 1, 0, 0, "")


def test_commits_of_others_on_the_output_lose_no_progress(case: UseCase) -> None:
    run(case)
    case.sql("ALTER TABLE {gold.out} SET TBLPROPERTIES ('made.by' = 'someone')")
    case.append("silver.a", [(3, 30)], SCHEMA)
    # The file of the first commit and that of the second become one.
    assert said(run(case)) == ("updated", 2, 1, 1, "")
    case.sql("OPTIMIZE {gold.out}")
    assert case.version("gold.out") == 3

    assert said(run(case)) == ("unchanged", 3, 0, 0, "")


def test_maintenance_of_an_input_is_no_news_until_it_is_old(case: UseCase) -> None:
    run(case)
    case.sql("ALTER TABLE {silver.a} SET TBLPROPERTIES ('made.by' = 'someone')")

    assert said(run(case)) == ("unchanged", 0, 0, 0, "")
    in_a_week = datetime.now(timezone.utc) + NOTED_AFTER
    assert said(Engine(case.lakehouse, "r8", now=in_a_week).derive(BY_KEY)) == ("updated", 1, 0, 0, "")
    assert said(Engine(case.lakehouse, "r9", now=in_a_week).derive(BY_KEY)) == ("unchanged", 1, 0, 0, "")
    assert case.rows("gold.out") == [(1, 20), (2, 40)]


def test_slices_that_no_change_touches_are_noted_once(case: UseCase) -> None:
    case.write("silver.b", [(1, 1)], SCHEMA)
    identity = BySlice("id", {IN: "id", OTHER: "nothing"}, frozenset({IN}))
    sliced = Derivation(OUT, (IN, OTHER), doubled, identity, "v1")
    run(case, sliced)
    case.append("silver.b", [(2, 2)], SCHEMA)

    assert said(run(case, sliced))[:2] == ("updated", 1)
    assert said(run(case, sliced))[:2] == ("unchanged", 1)


def test_a_new_definition_rebuilds_and_says_why(case: UseCase) -> None:
    run(case)
    other = Derivation(OUT, (IN,), lambda rows: rows[IN].selectExpr("id", "x + 1 AS y"), ByKey(("id",)), "v2")

    assert said(run(case, other)) == ("rebuilt", 1, 2, 2, "its definition changed")
    assert case.rows("gold.out", "id", "y") == [(1, 11), (2, 21)]
    assert said(run(case, other))[0] == "unchanged"

    case.write("silver.b", [(1, 1)], SCHEMA)
    joined = Derivation(OUT, (IN, OTHER), doubled, ByKey(("id",)), "v2")
    assert said(run(case, joined))[-1] == "its inputs changed"
    assert said(run(case, joined, rebuild=True))[-1] == "asked for"


def test_a_table_of_others_making_is_rebuilt(case: UseCase) -> None:
    case.spark.createDataFrame([(9, 9)], SCHEMA).write.format("delta").save(case.lakehouse.location(OUT))

    assert said(run(case))[-1] == "no record of what it was made from"
    assert case.rows("gold.out") == [(1, 20), (2, 40)]


def test_rows_changed_where_they_are_only_added_rebuild(case: UseCase) -> None:
    appended = Derivation(OUT, (IN,), doubled, Appended(), "v1")
    run(case, appended)
    case.sql("UPDATE {silver.a} SET x = 11 WHERE id = 1")

    outcome = run(case, appended)

    assert outcome.action == "rebuilt"
    assert outcome.reason == "rows of silver.a were changed, where they should only be added"
    assert case.rows("gold.out") == [(1, 22), (2, 40)]


def test_without_its_input_it_says_which(case: UseCase) -> None:
    with pytest.raises(LookupError, match=r"silver\.b is not there yet"):
        run(case, Derivation(OUT, (OTHER,), doubled, ByKey(("id",)), "v1"))
