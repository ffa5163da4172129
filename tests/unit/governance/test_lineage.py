"""Lineage: what a table comes from and what comes from it, with the versions, as trees and as plain data."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from lakeloop.errors import LakeloopError
from lakeloop.governance.lineage import ABSENT, CURRENT, Node, feeds, one, plain, related, show

NODES = {
    node.name: node
    for node in [
        Node("/landing/orders/*.csv", None, CURRENT),
        Node("/landing/days/*.csv", None, CURRENT),
        Node("bronze.orders", 4, CURRENT, "r4", {"/landing/orders/*.csv": None}),
        Node("bronze.days", 0, CURRENT, "r1", {"/landing/days/*.csv": None}),
        Node("silver.orders", 3, "bronze.orders has version 4, it has seen 3", "r3", {"bronze.orders": 3}),
        Node("silver.days", 0, CURRENT, "r1", {"bronze.days": 0}),
        Node("gold.sales", 7, CURRENT, "r3", {"silver.orders": 3, "silver.days": 0}),
        Node("features.sales", None, ABSENT, "", {"gold.sales": None}),
    ]
}


def shown(table: str | None) -> list[str]:
    out = StringIO()
    show(Console(file=out, width=160, highlight=False), related(NODES, table) if table else NODES, table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_from_the_raw_files_down_each_table_is_opened_once() -> None:
    assert shown(None) == [
        "/landing/orders/*.csv",
        "└── bronze.orders version 4",
        "    └── silver.orders version 3 from version 3  bronze.orders has version 4, it has seen 3",
        "        └── gold.sales version 7 from version 3",
        "            └── features.sales  not there yet",
        "/landing/days/*.csv",
        "└── bronze.days version 0",
        "    └── silver.days version 0 from version 0",
        "        └── gold.sales version 7 from version 0 (see above)",
    ]


def test_of_one_table_it_tells_both_directions() -> None:
    assert shown("silver.days") == [
        "made from",
        "silver.days version 0",
        "└── bronze.days version 0 used at version 0",
        "    └── /landing/days/*.csv",
        "feeds",
        "silver.days version 0",
        "└── gold.sales version 7 from version 0",
        "    └── features.sales  not there yet",
    ]


def test_others_of_its_inputs_descend_from_elsewhere() -> None:
    assert list(related(NODES, "silver.days")) == [
        "/landing/days/*.csv", "bronze.days", "silver.days", "gold.sales", "features.sales",
    ]  # fmt: skip
    assert feeds(NODES, "silver.orders") == ["gold.sales"]


def test_as_plain_data_each_node_tells_what_it_feeds() -> None:
    (gold,) = [item for item in plain(NODES) if item["name"] == "gold.sales"]
    assert gold["consumed"] == {"silver.orders": 3, "silver.days": 0}
    assert gold["feeds"] == ["features.sales"]


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(LakeloopError, match=r"no table silver\.order .*did you mean 'silver\.orders'"):
        one(NODES, "silver.order")
