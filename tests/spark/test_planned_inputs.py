"""Inputs that are used whole are planned before the function gets them, where few rows changed."""

from __future__ import annotations

import pytest
from conftest import MakeUseCase, UseCase
from pyspark.sql import DataFrame

from lakeloop import derive, making
from lakeloop.derivation import BySlice, Derivation
from lakeloop.tables import Table

SALES, PRICES, SHOPS, OUT = (
    Table("silver", "sales"),
    Table("silver", "prices"),
    Table("silver", "shops"),
    Table("gold", "o"),
)


def taking(*used_whole: Table) -> Derivation:
    """What each shop took on a day."""
    days = {SALES: "`day`", PRICES: "`day`", SHOPS: "nothing"}
    identity = BySlice("day", days, frozenset({SALES, PRICES}), used_whole=frozenset(used_whole))
    return Derivation(
        OUT,
        (SALES, PRICES, SHOPS),
        lambda rows: (
            rows[SALES]
            .join(rows[PRICES], "day")
            .join(rows[SHOPS], "shop")
            .selectExpr("day", "city", "n * price AS sum")
        ),
        identity,
        "v",
    )


@pytest.fixture
def case(use_case: MakeUseCase) -> UseCase:
    made = use_case()
    made.write("silver.sales", [("mon", "a", 1), ("tue", "a", 2)], "day string, shop string, n int")
    made.write("silver.prices", [("mon", 10), ("tue", 10), ("wed", 5)], "day string, price int")
    made.write("silver.shops", [("a", "Rome")], "shop string, city string")
    made.engine().derive(taking())
    made.append("silver.sales", [("tue", "a", 4), ("wed", "a", 8)], "day string, shop string, n int")
    return made


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The columns of the inputs that were planned."""
    found: list[list[str]] = []

    def kept(rows: DataFrame) -> DataFrame | None:
        found.append(rows.columns)
        return real(rows)

    real = making.kept
    monkeypatch.setattr(making, "kept", kept)
    return found


AFTER = [("mon", "Rome", 10), ("tue", "Rome", 20), ("tue", "Rome", 40), ("wed", "Rome", 40)]


def test_those_that_are_used_whole_are(case: UseCase, planned: list[list[str]]) -> None:
    assert case.engine().derive(taking(SALES, PRICES)).action == "updated"
    assert sorted(planned) == [["day", "price"], ["day", "shop", "n"]]
    assert case.rows("gold.o") == AFTER


@pytest.mark.parametrize("used_whole", [(), (SALES,)])
def test_one_alone_is_planned_with_the_query(
    case: UseCase, planned: list[list[str]], used_whole: tuple[Table, ...]
) -> None:
    case.engine().derive(taking(*used_whole))
    assert planned == []
    assert case.rows("gold.o") == AFTER


def test_none_is_where_many_rows_changed(
    case: UseCase, planned: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derive, "FEW_ROWS", 1)
    case.engine().derive(taking(SALES, PRICES))
    assert planned == []
    assert case.rows("gold.o") == AFTER


def test_the_query_reads_those_that_cannot_be_kept(case: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "kept", lambda rows: None)
    assert case.engine().derive(taking(SALES, PRICES)).action == "updated"
    assert case.rows("gold.o") == AFTER
