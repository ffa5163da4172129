"""What a user sees of a run: plain lines whatever the names hold, or one valid JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from math import nan
from typing import Any

import pytest
from rich.console import Console

from lakeloop.derive import Outcome
from lakeloop.modelling.gate import Check
from lakeloop.modelling.train import Trained
from lakeloop.pipeline import Drifted
from lakeloop.report import Reporter
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion

OUTCOMES = [
    Outcome(Table("silver", "orders"), "updated", 3, 1200, 1100, 1.5),
    Outcome(Table("quarantine", "orders"), "updated", 2, 1200, 100, 0.5),
    Outcome(Table("gold", "sales"), "rebuilt", 7, 1100, 900, 2.0, "its query was changed"),
    Outcome(Table("gold", "days"), "unchanged", 1, seconds=0.1),
]


def _trained(promoted: bool = True, unchanged: bool = False, **metrics: float) -> Trained:
    return Trained(
        ModelVersion("shop", "4", "run-1", (), {}),
        "lightgbm",
        "roc_auc",
        metrics or {"roc_auc": 0.7123, "accuracy_score": 0.9},
        {"roc_auc": 0.5},
        [Check("minimum roc_auc", promoted, "roc_auc 0.7123, at least 0.65 is asked for")],
        promoted,
        unchanged,
        12345,
        6.7,
    )


def _reporter(**options: bool) -> tuple[Reporter, StringIO]:
    out = StringIO()
    return Reporter(console=Console(file=out, width=160, highlight=False), **options), out


def _squeezed(line: str) -> str:
    """A line with one space for many."""
    return " ".join(line.split())


def test_a_finished_table_is_a_line() -> None:
    reporter, out = _reporter()
    for outcome in OUTCOMES:
        reporter.done(outcome.table.layer, outcome)
    assert [_squeezed(line) for line in out.getvalue().splitlines()] == [
        "silver silver.orders 1,100 rows 1.5 s",
        "quarantine quarantine.orders 100 rows 0.5 s",
        "gold gold.sales 900 rows 2.0 s rebuilt: its query was changed",
        "gold gold.days unchanged 0.1 s",
    ]


def test_a_trained_model_is_a_line() -> None:
    reporter, out = _reporter()
    reporter.done("train", _trained())
    reporter.done("train", _trained(unchanged=True))
    first, second = out.getvalue().splitlines()
    assert _squeezed(first) == "train shop v4 12,345 rows 6.7 s lightgbm, test roc_auc 0.7123"
    assert _squeezed(second) == "train shop v4 unchanged"


def test_the_summary_tells_tables_model_gate_and_drift() -> None:
    reporter, out = _reporter()
    drifted = [Drifted("2013-01-01", "amount", "population_stability_index", 0.3456, 0.2)]
    reporter.summary(OUTCOMES, _trained(), (drifted, 5), 12.3, [("tables", "lakeloop status conf/shop")])
    lines = [_squeezed(line) for line in out.getvalue().splitlines()]
    assert "silver.orders 1,200 1,100 100 3 1.5" in lines
    assert "gold.days · · 1 0.1" in lines
    assert not any("quarantine.orders" in line for line in lines)
    assert "model shop version 4 (lightgbm), champion" in lines
    assert "roc_auc 0.7123 0.5000" in lines
    assert "accuracy_score 0.9000" in lines
    assert "gate: minimum roc_auc passed roc_auc 0.7123, at least 0.65 is asked for" in lines
    assert "amount population_stability_index 0.346 (from 0.2)" in lines
    assert "tables lakeloop status conf/shop" in lines
    assert lines[-1] == "Done in 12 s."


def test_a_refused_model_is_not_called_champion() -> None:
    reporter, out = _reporter()
    reporter.summary([], _trained(promoted=False), None, 1.0)
    assert "not champion" in out.getvalue()
    assert "failed" in out.getvalue()


@pytest.mark.parametrize(
    ("drifted", "judged", "said"),
    [([], 0, "unknown: no window has enough rows"), ([], 5, "none of 5 columns")],
)
def test_drift_that_cannot_be_judged_is_unknown_and_not_none(
    drifted: Sequence[Drifted], judged: int, said: str
) -> None:
    reporter, out = _reporter()
    reporter.summary([], None, (list(drifted), judged), 1.0)
    assert said in out.getvalue()


def test_a_run_that_had_nothing_to_do_says_so() -> None:
    reporter, out = _reporter()
    reporter.summary([OUTCOMES[3]], _trained(unchanged=True), None, 1.0)
    assert "Nothing new: 1 tables are up to date" in out.getvalue()
    reporter, out = _reporter()
    reporter.summary(OUTCOMES, None, None, 1.0)
    assert "Nothing new" not in out.getvalue()


def test_progress_without_a_terminal_is_a_line_each() -> None:
    reporter, out = _reporter()
    with reporter.working("train", "search"):
        reporter.trials(0, None)
        reporter.trials(3, 0.71234)
    assert _squeezed(out.getvalue()).startswith("train search 3 trials, best 0.7123, ")


def test_quiet_tells_the_summary_alone() -> None:
    reporter, out = _reporter(quiet=True)
    reporter.say("hello")
    reporter.done("silver", OUTCOMES[0])
    reporter.trials(3, 0.7)
    assert out.getvalue() == ""
    reporter.summary(OUTCOMES, None, None, 1.0)
    assert "silver.orders" in out.getvalue()


@pytest.mark.parametrize("name", ["amount [c]", "amount [/]", "[red]amount", "amount \\"])
def test_names_that_look_like_markup_are_told_as_they_are(name: str) -> None:
    reporter, out = _reporter()
    reporter.done("gold", Outcome(Table("gold", "sales"), "rebuilt", 7, 1, 1, 2.0, f"{name} was changed"))
    reporter.summary([], None, ([Drifted("2013-01-01", name, "js_distance", 0.3, 0.2)], 5), 1.0)
    assert out.getvalue().count(name) == 2


def _strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_is_one_document_and_nothing_else() -> None:
    reporter, out = _reporter(as_json=True)
    reporter.say("hello")
    with reporter.working("silver", "orders"):
        reporter.done("silver", OUTCOMES[0])
    reporter.trials(3, 0.7)
    drifted = [Drifted("2013-01-01", "amount [c]", "js_distance", 0.3, 0.2)]
    reporter.summary(OUTCOMES[:1], _trained(), (drifted, 5), 12.34, [("more", "lakeloop")])
    found = _strict(out.getvalue())
    assert found["seconds"] == 12.3
    assert found["tables"] == [
        {
            "table": "silver.orders", "action": "updated", "version": 3, "rows_in": 1200, "rows_out": 1100,
            "seconds": 1.5, "reason": "", "consumed": {},
        }
    ]  # fmt: skip
    assert found["model"]["champion"] is True
    assert found["model"]["metrics"] == {"roc_auc": 0.7123, "accuracy_score": 0.9}
    assert found["model"]["gate"][0]["name"] == "minimum roc_auc"
    assert found["drift"]["judged"] == 5
    assert found["drift"]["drifted"][0]["column"] == "amount [c]"


def test_json_leaves_out_what_was_not_done() -> None:
    reporter, out = _reporter(as_json=True)
    reporter.summary([], None, None, 1.0)
    assert _strict(out.getvalue()) == {"tables": [], "seconds": 1.0}


def test_json_of_a_metric_that_is_no_number_is_still_json() -> None:
    reporter, out = _reporter(as_json=True)
    reporter.summary([], _trained(r2_score=nan), None, 1.0)
    assert _strict(out.getvalue())["model"]["metrics"] == {"r2_score": None}
