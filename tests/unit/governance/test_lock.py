"""One run at a time on a use case's local tables; the lock dies with its process."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lakeloop.config import load
from lakeloop.errors import LakeloopError
from lakeloop.governance.lock import alone, lock_file

from ..conftest import Folder

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=timezone.utc)
OTHER = """
import sys, time
from datetime import datetime, timezone
from lakeloop.config import load
from lakeloop.governance.lock import alone
with alone(load(sys.argv[1]), datetime(2024, 5, 1, 12, 30, tzinfo=timezone.utc), False, print):
    print("taken", flush=True)
    if sys.stdin.readline() == "die\\n":
        import os
        os.kill(os.getpid(), 9)
"""


def other(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is told to end or to die."""
    command = [sys.executable, "-c", OTHER, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    return process


def test_a_second_run_is_told_who_runs_since_when(conf: Folder) -> None:
    folder = conf.pipeline()
    process = other(folder)
    expected = rf"shop is being run already \(process {process.pid}, since 2024-05-01 12:30:00 UTC\).*--wait"
    with pytest.raises(LakeloopError, match=expected), alone(load(folder), NOW, False, print):
        pass
    process.communicate("end\n")
    with alone(load(folder), NOW, False, print):
        pass


def test_waiting_says_so_and_goes_on_when_the_other_has_died(conf: Folder) -> None:
    folder = conf.pipeline()
    process = other(folder)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        process.communicate("die\n")

    with alone(load(folder), NOW, True, say):
        assert process.returncode == -9
    assert len(said) == 1 and said[0].endswith("waiting for its end")


def test_use_cases_do_not_wait_for_each_other(conf: Folder) -> None:
    first, second = conf.pipeline(), conf.pipeline(name="other", text=_named("other"))
    with alone(load(first), NOW, False, print), alone(load(second), NOW, False, print):
        pass


@pytest.mark.parametrize(
    "environment",
    [
        "tables: 'main.x.{pipeline}_{layer}_{table}'",
        "root: s3://bucket/lake",
        "tables: 's3://b/{pipeline}/{layer}/{table}'",
    ],
)
def test_tables_elsewhere_have_no_lock(conf: Folder, environment: str) -> None:
    conf.env("cloud", environment)
    assert lock_file(load(conf.pipeline(), "cloud")) is None


def _named(name: str) -> str:
    from ..conftest import SHOP

    return SHOP.replace("pipeline: shop", f"pipeline: {name}")
