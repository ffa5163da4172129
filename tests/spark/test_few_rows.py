"""Few rows are worked through in a session that interprets queries, many in one that compiles them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame, SparkSession

from lakeloop import bronze, derive
from lakeloop.derivation import ByKey, Derivation, Rows
from lakeloop.derive import Engine
from lakeloop.session import for_few_rows
from lakeloop.tables import Lakehouse, Table

pytestmark = pytest.mark.classic("a server's session is left as it is")

CODE = "spark.sql.codegen.factoryMode"
IN, OUT = Table("silver", "a"), Table("gold", "out")
SCHEMA = "id int, x int"


@pytest.fixture
def compiling(spark: SparkSession) -> SparkSession:
    """A session as `lakeloop run` has it: that of the tests interprets by itself."""
    made = type(spark)(spark.sparkContext, spark._jsparkSession.cloneSession())
    made.conf.set(CODE, "FALLBACK")
    return made


@pytest.fixture
def case(use_case: MakeUseCase, compiling: SparkSession) -> UseCase:
    return replace(use_case(), spark=compiling)


def test_it_is_a_session_beside_with_the_same_views(case: UseCase, compiling: SparkSession) -> None:
    compiling.range(3).createOrReplaceTempView("numbers")
    compiling.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    beside = for_few_rows(compiling, case.settings)
    assert beside.table("numbers").count() == 3
    assert beside.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert (beside.conf.get(CODE), compiling.conf.get(CODE)) == ("NO_CODEGEN", "FALLBACK")
    assert for_few_rows(beside, case.settings) is beside


def test_a_clusters_session_is_left_as_it_is(case: UseCase, compiling: SparkSession) -> None:
    environment = case.settings.environment.model_copy(update={"master": None})
    assert for_few_rows(compiling, replace(case.settings, environment=environment)) is compiling


@pytest.mark.parametrize("limit", [1, 2])
def test_the_number_of_rows_decides(case: UseCase, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(derive, "FEW_ROWS", limit)
    modes = []

    def compute(rows: Rows) -> DataFrame:
        modes.append(rows[IN].sparkSession.conf.get(CODE))
        return rows[IN]

    def run(rows: int | None = None) -> None:
        engine = Engine(Lakehouse(case.spark, case.settings), "r")
        if rows is not None:
            commit = engine.latest(IN)
            assert commit is not None
            engine.note(IN, commit, rows)
        engine.derive(Derivation(OUT, (IN,), compute, ByKey(("id",)), str(rows)))

    case.write("silver.a", [(1, 10)], SCHEMA)
    run(2)
    # How many rows there are is not known.
    run()
    case.append("silver.a", [(2, 20), (3, 30)], SCHEMA)
    run()
    few = "NO_CODEGEN" if limit == 2 else "FALLBACK"
    assert modes == [few, "FALLBACK", few]
    assert case.rows("gold.out") == [(1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize("limit", [4, 500])
def test_the_bytes_of_a_batch_decide(case: UseCase, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(bronze, "_FEW_BYTES", limit)
    modes, add = [], bronze._Batch.add

    def told(batch: bronze._Batch, *args: Any) -> str:
        modes.append(batch.lakehouse.spark.conf.get(CODE))
        return add(batch, *args)

    monkeypatch.setattr(bronze._Batch, "add", told)
    case.land("things/a.csv", "id\n1\n")
    bronze.ingest(Engine(Lakehouse(case.spark, case.settings), "r"), "things", datetime.now(timezone.utc))
    assert modes == ["NO_CODEGEN" if limit == 500 else "FALLBACK"]
    # The stream has a session of its own.
    assert case.spark.conf.get(CODE) == "FALLBACK"
    assert case.rows("bronze.things", "id") == [("1",)]
