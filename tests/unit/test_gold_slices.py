"""Which slices of a gold table a changed row of an input touches, and of which inputs just those rows are read."""

from __future__ import annotations

from lakeloop import gold
from lakeloop.derivation import BySlice
from lakeloop.slices import ALL
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


def test_affected_by_says_what_a_history_touches(conf: Folder) -> None:
    found = identity(conf, "affected_by: {silver.orders_history: country}\n    ")
    assert (found.touched, found.restricted) == ({ORDERS: "`country`", HISTORY: "country"}, {ORDERS})
