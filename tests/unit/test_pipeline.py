"""A run keeps what it did and what it could not do, with the times of its clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from lakeloop.derive import Outcome
from lakeloop.errors import LakeloopError
from lakeloop.pipeline import Run
from lakeloop.report import Reporter
from lakeloop.tables import Table

from .conftest import Folder

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
DONE = Outcome(Table("gold", "sales"), "updated", 3)


@pytest.fixture
def run(conf: Folder) -> Run:
    """A run without Spark, whose clock goes on by a minute at each look."""
    minutes: Iterator[datetime] = (NOON + timedelta(minutes=minute) for minute in range(100))
    spark = cast(SparkSession, None)
    return Run(spark, conf.settings(), "run-1", NOON, Reporter(quiet=True), clock=lambda: next(minutes))


def gold(run: Run, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> None:
    """The stage gold, of one piece of work."""
    monkeypatch.setattr(run, "_all_of", lambda stage: iter([run._do(stage, "gold.sales", work)]))
    run.stage("gold")


def steps(run: Run) -> list[tuple[str, int, int, object, str]]:
    """What a run did, with the minutes after noon at which it began and ended."""
    return [
        (step.what, step.started.minute, step.finished.minute, step.result, type(step.error).__name__)
        for step in run.steps
    ]


def test_pieces_stand_before_their_stage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    gold(run, monkeypatch, lambda: DONE)
    assert steps(run) == [("gold.sales", 1, 2, DONE, "NoneType"), ("", 0, 3, None, "NoneType")]


def test_what_failed_is_kept_in_the_users_words(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AnalysisException("no such column")

    with pytest.raises(LakeloopError, match=r"gold, gold\.sales: no such column") as caught:
        gold(run, monkeypatch, fail)
    assert isinstance(caught.value.__cause__, AnalysisException)
    assert steps(run) == [("gold.sales", 1, 2, None, "LakeloopError"), ("", 0, 3, None, "LakeloopError")]


def test_an_error_of_our_own_code_stays_what_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        gold(run, monkeypatch, fail)
    assert [name for *_, name in steps(run)] == ["ValueError", "ValueError"]
