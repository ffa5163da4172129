"""Tables that do not wait for each other are made together."""

from __future__ import annotations

import pytest

from lakeloop.derivation import Appended, Derivation
from lakeloop.derive import Outcome
from lakeloop.pipeline import together, waves
from lakeloop.tables import Table


def _derivation(name: str, *inputs: str) -> Derivation:
    tables = tuple(Table.parse(table) for table in inputs)
    return Derivation(Table("gold", name), tables, lambda rows: rows[tables[0]], Appended(), "")


def _names(groups: list[list[Derivation]]) -> list[list[str]]:
    return [[derivation.output.name for derivation in group] for group in groups]


def test_a_table_comes_after_those_that_it_reads() -> None:
    days = _derivation("days", "silver.sales")
    shops = _derivation("shops", "silver.shops")
    report = _derivation("report", "gold.days", "gold.shops", "silver.sales")
    last = _derivation("last", "gold.report")
    assert _names(waves([days, shops, report, last])) == [["days", "shops"], ["report"], ["last"]]


def test_nothing_to_do_is_no_wave() -> None:
    assert waves([]) == []


def _outcome(name: str) -> Outcome:
    return Outcome(Table("gold", name), "created", 0)


def test_results_come_in_the_order_of_the_works() -> None:
    works = [lambda name=name: _outcome(name) for name in "edcba"]
    assert [outcome.table.name for outcome in together(works)] == list("edcba")


def test_the_first_failure_is_raised() -> None:
    def failing() -> Outcome:
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        together([lambda: _outcome("a"), failing, lambda: _outcome("b")])
