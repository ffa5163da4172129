"""What a source may say of its files."""

from __future__ import annotations

import pytest

from lakeloop.config import load
from lakeloop.config.references import spine_key
from lakeloop.config.sources import Source

from ..conftest import Folder


def test_missing_values_are_texts_as_files_spell_them() -> None:
    source = Source.model_validate({"path": "x", "missing": ["?", 999, -1.5], "missing_in": {"age": 0}})
    assert source.missing == ["?", "999", "-1.5"]
    assert source.missing_in == {"age": ["0"]}


@pytest.mark.parametrize(
    ("settings", "where", "expected"),
    [
        ("missing: [no]", "sources.orders.missing", "quotes"),
        ("names: [a], format: json", "sources.orders", "'names' only with format: csv"),
        ("names: [a], options: {Header: true}", "sources.orders", "either 'names' or 'options.header: true'"),
        ("names: [a, A]", "sources.orders", "a name comes twice: a"),
        ("pattern: '(?<a>x)'", "sources.orders", "'pattern' only with format: text"),
        ("pattern: 'x', format: text", "sources.orders.pattern", "named groups"),
        ("columns: {'unit price': string}, path: x", "sources.orders.columns", "without"),
    ],
)
def test_what_does_not_go_together_is_refused(conf: Folder, settings: str, where: str, expected: str) -> None:
    given = (
        f"  orders: {{path: orders/*.csv, {settings}}}\n" if "path" not in settings else f"  orders: {{{settings}}}\n"
    )
    folder = conf.pipeline(
        f"pipeline: shop\nsources:\n{given}"
        "model: {task: binary, spine: silver.orders, label: 'true', split: {by: random}}\n"
    )
    [problem] = conf.problems(folder)
    assert problem.where == where
    assert expected in problem.expected


def test_without_a_key_a_row_is_known_by_its_content(conf: Folder) -> None:
    folder = conf.pipeline(
        "pipeline: shop\nsources: {orders: {path: orders/*.csv, columns: {amount: double}}}\n"
        "model: {task: binary, spine: silver.orders, label: amount > 100, split: {by: random}}\n"
    )
    pipeline = load(folder).pipeline
    assert pipeline.sources["orders"].key == []
    assert spine_key(pipeline) == ["_row_hash", "_row_number"]
