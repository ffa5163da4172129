"""Maintenance: many small files become few, the rows stay, and nobody has to compute anything anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import SparkSession

from lakeloop.config.maintenance import Maintenance
from lakeloop.derivation import Appended, ByKey, Derivation
from lakeloop.errors import ConfigurationError
from lakeloop.maintenance import maintain, vacuum
from lakeloop.tables import Table

IN, OTHER, OUT = Table("silver", "a"), Table("silver", "b"), Table("gold", "out")
SCHEMA = "id int, x int"
POLICY = Maintenance(small_files=3, z_order={"silver.a": ["x"]})
BY_KEY = Derivation(OUT, (IN,), lambda rows: rows[IN], ByKey(("id",)), "v1")


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.write("silver.a", [(1, 10)], SCHEMA)
    return made


@pytest.fixture
def no_retention(spark: SparkSession) -> Iterator[None]:
    """Files may be removed at once, as if they were old."""
    setting = "spark.databricks.delta.retentionDurationCheck.enabled"
    spark.conf.set(setting, "false")
    yield
    spark.conf.unset(setting)


def files(case: UseCase, table: Table) -> int:
    return len(list(Path(case.lakehouse.location(table)).glob("*.parquet")))


def test_many_small_files_become_few_and_nothing_is_computed_anew(case: UseCase) -> None:
    rows = case.spark.createDataFrame([(number, number * 10) for number in range(1, 9)], SCHEMA)
    # Delta orders by columns of which it keeps statistics; tests keep none by themselves.
    case.sql("ALTER TABLE {silver.a} SET TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = '2')")
    case.lakehouse.create(IN, rows.repartition(4), {"run": "by hand"})
    before = case.rows("silver.a")
    appended = Derivation(Table("quarantine", "a"), (IN,), lambda rows: rows[IN], Appended(), "v1")
    for derivation in (BY_KEY, appended):
        case.engine().derive(derivation)

    found = maintain(case.lakehouse, IN, POLICY, "r1")

    assert found.compacted and (found.files_before, found.files_after) == (4, 1)
    assert case.rows("silver.a") == before
    optimized = case.sql("DESCRIBE HISTORY {silver.a}").filter("operation = 'OPTIMIZE'").collect()
    assert [row["operationParameters"]["zOrderBy"] for row in optimized] == ['["x"]']
    assert case.lakehouse.detail(IN).properties["delta.logRetentionDuration"] == "interval 30 days"
    for derivation in (BY_KEY, appended):
        assert case.engine().derive(derivation).action == "unchanged"
    assert case.engine().outlook(BY_KEY) == ("nothing", "")


@pytest.mark.parametrize("column", ["x", "gone"])
def test_an_order_that_delta_cannot_make_is_told_where_it_is_asked_for(case: UseCase, column: str) -> None:
    case.sql("ALTER TABLE {silver.a} SET TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = '0')")
    for number in range(2, 5):
        case.append("silver.a", [(number, 0)], SCHEMA)
    with pytest.raises(ConfigurationError) as told:
        maintain(case.lakehouse, IN, Maintenance(small_files=3, z_order={"silver.a": [column]}), "r1")
    [problem] = told.value.problems
    assert (problem.where, problem.found) == ("maintenance.z_order.silver.a", column)


def test_what_came_after_it_is_followed(case: UseCase) -> None:
    case.engine().derive(BY_KEY)
    maintain(case.lakehouse, OUT, POLICY, "r1")
    case.append("silver.a", [(2, 20)], SCHEMA)

    latest = case.lakehouse.latest(OUT)
    assert latest is not None and not latest.changes_rows
    assert latest.progress is not None and latest.progress["consumed"] == {"silver.a": 0}
    outcome = case.engine().derive(BY_KEY)
    assert (outcome.action, outcome.rows_in, outcome.rows_out) == ("updated", 1, 1)


@pytest.mark.usefixtures("no_retention")
def test_where_the_changes_are_removed_the_table_is_made_anew(case: UseCase) -> None:
    case.append("silver.a", [(2, 20), (3, 30)], SCHEMA)
    case.engine().derive(BY_KEY)
    case.sql("UPDATE {silver.a} SET x = 21 WHERE id = 2")
    removed, freed = vacuum(case.lakehouse, IN, 0, {"run": "by hand"})
    assert removed and freed
    assert files(case, IN) == case.lakehouse.detail(IN).files

    outcome = case.engine().derive(BY_KEY)
    assert (outcome.action, outcome.reason) == ("rebuilt", "files of the change data feed of silver.a are gone")
    assert case.rows("gold.out") == [(1, 10), (2, 21), (3, 30)]
    assert case.engine().derive(BY_KEY).action == "unchanged"
