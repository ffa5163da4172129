"""A commit says which days it wrote: a new one is added without a look at the table, and nobody asks what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeloop import touches
from lakeloop.config.maintenance import Maintenance
from lakeloop.derivation import BySlice, Derivation, Rows
from lakeloop.derive import Outcome
from lakeloop.maintenance import maintain
from lakeloop.slices import DaysAround
from lakeloop.tables import Lakehouse, Table

SALES, DAYS, WEEKS = Table("silver", "sales"), Table("gold", "days"), Table("gold", "weeks")
SCHEMA = "id int, day date, x int"


def day(number: int) -> date:
    return date(2024, 5, number)


def per_day(rows: Rows) -> DataFrame:
    return rows[SALES].groupBy("day").agg(F.sum("x").alias("x"))


def sums(output: Table = DAYS, touched: str = "day", present: bool = False) -> Derivation:
    return Derivation(output, (SALES,), per_day, BySlice("day", {SALES: touched}, frozenset({SALES}), present), "v")


# What it has of a day depends on that day and the one before.
TWO_DAYS = Derivation(
    WEEKS,
    (DAYS,),
    lambda rows: (
        rows[DAYS]
        .filter("day IS NOT NULL")
        .select(F.explode(F.expr("array(day, date_add(day, 1))")).alias("day"), "x")
        .groupBy("day")
        .agg(F.sum("x").alias("x"))
    ),
    BySlice("day", {DAYS: DaysAround("day", after=1)}, frozenset({DAYS})),
    "v",
)


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.write("silver.sales", [(1, day(1), 1), (2, day(2), 2)], SCHEMA)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the lakehouse was asked for, by method and table."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> None:
        method: Callable[..., Any] = getattr(Lakehouse, name)

        def counted(lakehouse: Lakehouse, table: Table, *args: Any) -> Any:
            calls[f"{name} {table}"] += 1
            return method(lakehouse, table, *args)

        monkeypatch.setattr(Lakehouse, name, counted)

    for name in ("changes", "holds", "greatest"):
        counting(name)
    return calls


def derived(case: UseCase, *derivations: Derivation) -> list[Outcome]:
    """Derives side by side, and compares each table with one made from scratch."""
    engine = case.engine()
    engine.touches.expect(derivations)
    outcomes = [engine.derive(derivation) for derivation in derivations]
    for derivation in derivations:
        full = derivation.compute({table: case.lakehouse.read(table) for table in derivation.inputs})
        assert case.rows(str(derivation.output)) == sorted((tuple(row) for row in full.collect()), key=repr)
    return outcomes


def mode(case: UseCase, table: str) -> str:
    """How the table was last written."""
    row = case.sql(f"DESCRIBE HISTORY {{{table}}} LIMIT 1").collect()[0]
    return str(row["operationParameters"].get("mode", row["operation"]))


def test_a_new_day_is_added_without_a_look_and_an_old_one_replaced(case: UseCase, asked: Counter[str]) -> None:
    derived(case, sums())
    for number, (new, how) in enumerate([(day(3), "Append"), (day(4), "Append"), (day(2), "Overwrite")]):
        case.append("silver.sales", [(10 + number, new, 7)], SCHEMA)
        derived(case, sums())
        assert mode(case, "gold.days") == how
    assert asked["greatest gold.days"] == 1
    assert asked["holds gold.days"] == 0


def test_the_greatest_day_outlives_a_run_that_wrote_nothing(case: UseCase, asked: Counter[str]) -> None:
    never = Table("silver", "never")
    case.write("silver.never", [(1, day(1), 1)], SCHEMA)
    identity = BySlice("day", {SALES: "day", never: "nothing"}, frozenset({SALES}))
    derivation = Derivation(DAYS, (SALES, never), per_day, identity, "v")
    derived(case, derivation)
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    derived(case, derivation)
    case.append("silver.never", [(2, day(2), 2)], SCHEMA)
    derived(case, derivation)
    case.append("silver.sales", [(4, day(4), 4)], SCHEMA)
    derived(case, derivation)
    assert (mode(case, "gold.days"), asked["greatest gold.days"]) == ("Append", 1)


@pytest.mark.parametrize("maintained", [False, True])
def test_days_that_somebody_else_wrote_are_replaced(case: UseCase, maintained: bool) -> None:
    derived(case, sums())
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    derived(case, sums())
    case.sql("INSERT INTO {gold.days} VALUES (DATE '2024-05-09', 99)")
    if maintained:
        policy = Maintenance.model_validate({"small_files": 2})
        assert maintain(case.lakehouse, DAYS, policy, "m").compacted
    case.append("silver.sales", [(4, day(9), 4)], SCHEMA)
    assert derived(case, sums())[0].action == "updated"


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_came_between_a_look_and_a_commit_is_not_doubled(case: UseCase, by_hand: bool) -> None:
    """Maintenance hands on progress that it read before a run added a day; a run adds one after somebody else did."""
    derived(case, sums())
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    derived(case, sums())
    known = case.lakehouse.last_progress(DAYS)
    assert known is not None
    if by_hand:
        rows = case.spark.createDataFrame([(day(4), 4)], "day date, x bigint")
        case.sql("INSERT INTO {gold.days} VALUES (DATE '2024-05-09', 99)")
        progress = {**known[1], "greatest": {"slice": "2024-05-04", "version": known[0].version + 1}}
        case.lakehouse.append(DAYS, rows, progress, known[0].version)
        case.append("silver.sales", [(4, day(4), 4), (5, day(9), 5)], SCHEMA)
    else:
        case.append("silver.sales", [(4, day(4), 4)], SCHEMA)
        derived(case, sums())
        case.lakehouse.command(DAYS, "OPTIMIZE {table}", known[1])
    assert derived(case, sums())[0].action == "updated"


def test_what_a_commit_says_of_its_days_is_not_asked(case: UseCase, asked: Counter[str]) -> None:
    derived(case, sums(), TWO_DAYS)
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    case.append("silver.sales", [(4, day(1), 4)], SCHEMA)
    derived(case, sums(), TWO_DAYS)
    case.append("silver.sales", [(5, day(4), 3)], SCHEMA)
    derived(case, sums())
    case.sql("OPTIMIZE {gold.days}")
    case.append("silver.sales", [(6, None, 6)], SCHEMA)
    derived(case, sums(), TWO_DAYS)
    assert asked["changes gold.days"] == 0
    case.sql("UPDATE {gold.days} SET x = 70 WHERE day = '2024-05-03'")
    engine = case.engine()
    assert engine.derive(TWO_DAYS).action == "updated"
    assert asked["changes gold.days"] == 1


def test_more_days_than_a_commit_names_are_asked(
    case: UseCase, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "MOST_NAMED", 1)
    derived(case, sums(), TWO_DAYS)
    case.append("silver.sales", [(3, day(3), 3), (4, day(4), 4)], SCHEMA)
    derived(case, sums(), TWO_DAYS)
    assert asked["changes gold.days"] == 1


def test_tables_side_by_side_ask_an_input_once(case: UseCase, asked: Counter[str]) -> None:
    others = [sums(), sums(Table("gold", "more"), "date_trunc('DAY', day)::date"), sums(WEEKS, "array(day)")]
    derived(case, *others)
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    derived(case, *others)
    # An array is asked for by itself.
    assert asked["changes silver.sales"] == 2


def test_a_wrong_expression_is_its_own_tables_fault(case: UseCase) -> None:
    wrong = sums(WEEKS, "nothing_of_that_name")
    derived(case, sums())
    case.engine().derive(wrong)
    case.append("silver.sales", [(3, day(3), 3)], SCHEMA)
    engine = case.engine()
    engine.touches.expect([sums(), wrong])
    assert engine.derive(sums()).action == "updated"
    with pytest.raises(Exception, match="nothing_of_that_name"):
        engine.derive(wrong)


def test_too_many_slices_are_a_rebuild(case: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touches, "MOST_SLICES", 1)
    both = [sums(), sums(WEEKS)]
    derived(case, *both)
    case.append("silver.sales", [(3, day(3), 3), (4, day(4), 4)], SCHEMA)
    assert {outcome.reason for outcome in derived(case, *both)} == {"more than 1 slices are touched"}


@pytest.mark.parametrize("present", [False, True])
def test_a_row_of_no_day(case: UseCase, present: bool) -> None:
    def compute(rows: Rows) -> DataFrame:
        return per_day(rows).filter("day IS NOT NULL") if present else per_day(rows)

    identity = BySlice("day", {SALES: "day"}, frozenset({SALES}), present)
    derivation = Derivation(DAYS, (SALES,), compute, identity, "v")
    derived(case, derivation)
    case.append("silver.sales", [(3, None, 3), (4, day(4), 4)], SCHEMA)
    derived(case, derivation)
    assert mode(case, "gold.days") == "Append"
    case.append("silver.sales", [(5, None, 3)], SCHEMA)
    assert derived(case, derivation)[0].rows_out == (0 if present else 1)
    assert mode(case, "gold.days") == ("SET TBLPROPERTIES" if present else "Overwrite")


def test_days_that_only_spark_has_are_a_rebuild(case: UseCase) -> None:
    engine = case.engine()
    engine.derive(sums())
    case.sql("INSERT INTO {silver.sales} VALUES (3, date'+12000-01-01', 3)")
    outcome = case.engine().derive(sums())
    assert (outcome.action, outcome.reason) == ("rebuilt", "a changed row is of a day outside the years 1 to 9999")
    case.append("silver.sales", [(4, day(2), 4)], SCHEMA)
    assert case.engine().derive(sums()).action == "updated"
    found = case.sql("SELECT string(day), x FROM {gold.days}").collect()
    assert sorted(map(tuple, found)) == [("+12000-01-01", 3), ("2024-05-01", 1), ("2024-05-02", 6)]


def test_files_of_the_changes_that_are_gone_are_a_rebuild(case: UseCase) -> None:
    derived(case, sums(), sums(WEEKS))
    case.sql("UPDATE {silver.sales} SET x = 5 WHERE id = 1")
    for file in Path(case.lakehouse.location(SALES)).glob("_change_data/*"):
        file.unlink()
    for outcome in derived(case, sums(), sums(WEEKS)):
        assert outcome.reason == "files of the change data feed of silver.sales are gone"
