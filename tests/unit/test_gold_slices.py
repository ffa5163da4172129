"""Which slices of a gold table a changed row of an input touches, and of which inputs just those rows are read."""

from __future__ import annotations

from lakeloop import gold
from lakeloop.derivation import BySlice
from lakeloop.slices import ALL, DaysAround
from lakeloop.tables import Table

from .conftest import Folder

ORDERS, HISTORY = Table("silver", "orders"), Table("silver", "orders_history")
KEPT = ("path: orders/*.csv", "path: orders/*.csv\n    latest_by: [ordered_at]\n    history: true")
JOINED = ("select * from silver.orders", "select * from silver.orders_history join silver.orders using (order_id)")


def identity(conf: Folder, also: str = "") -> BySlice:
    sliced = ("key: order_id\n    time:", f"key: order_id\n    increment_by: country\n    {also}time:")
    made = gold.derivation(conf.settings(KEPT, JOINED, sliced), "sales")
    assert made.inputs == (ORDERS, HISTORY)
    assert isinstance(made.identity, BySlice)
    return made.identity


def test_a_history_is_read_whole_though_it_has_the_column(conf: Folder) -> None:
    found = identity(conf)
    assert (found.touched, found.restricted) == ({ORDERS: "`country`", HISTORY: ALL}, {ORDERS})


def test_of_an_input_near_the_slices_just_those_rows_are_read(conf: Folder) -> None:
    found = identity(conf, "near: {silver.orders_history: {column: ordered_at, days_before: 1, days_after: 2}}\n    ")
    assert found.touched == {ORDERS: "`country`", HISTORY: DaysAround("ordered_at", before=1, after=2)}
    assert found.restricted == {ORDERS, HISTORY}


def test_near_goes_before_the_column_that_an_input_has(conf: Folder) -> None:
    # A sum of a week before each day reads more than that day.
    found = identity(conf, "near: {silver.orders: {column: ordered_at, days_after: 7}}\n    ")
    assert found.touched[ORDERS] == DaysAround("ordered_at", after=7)


def test_affected_by_says_what_a_history_touches(conf: Folder) -> None:
    found = identity(conf, "affected_by: {silver.orders_history: country}\n    ")
    assert (found.touched, found.restricted) == ({ORDERS: "`country`", HISTORY: "country"}, {ORDERS})
