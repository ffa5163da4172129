"""What was changed in a configuration is told as dotted paths, with the old and the new value."""

from __future__ import annotations

from lakeloop.governance.changes import differences


def test_values_that_differ_are_told_with_their_path() -> None:
    before = {
        "sources": {"orders": {"key": ["id"], "columns": {"id": "int", "total": "double", "gone": "int"}}},
        "a": 1,
    }
    after = {
        "sources": {"orders": {"key": ["id", "day"], "columns": {"id": "int", "total": "int", "new": "date"}}},
        "a": 1,
    }

    assert differences(before, after) == [
        'sources.orders.columns.gone: "int" → nothing',
        'sources.orders.columns.new: nothing → "date"',
        'sources.orders.columns.total: "double" → "int"',
        'sources.orders.key: ["id"] → ["id", "day"]',
    ]
    assert differences(after, after) == []


def test_a_long_query_is_cut_and_on_one_line() -> None:
    (line,) = differences({"queries": {"sales": "select 1"}}, {"queries": {"sales": "select a,\n  b" + ", c" * 60}})
    assert line.startswith('queries.sales: "select 1" → "select a, b, c')
    assert line.endswith("…") and len(line) < 120
