"""What runs in a process that is to be killed (see harness.Worker), and the points at which it kills itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timezone
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakeloop.config import Settings, load
from lakeloop.governance.ledger import recorded
from lakeloop.governance.lock import alone
from lakeloop.pipeline import Run, new_run_id
from lakeloop.report import Reporter
from lakeloop.session import session
from lakeloop.tables import Lakehouse

STAGES = ("bronze", "silver", "gold", "features")
DOORS = ("create", "append", "merge", "replace_where", "note_progress")


def run(spark: SparkSession, settings: Settings) -> None:
    """The stages as the command line runs them, lock and ledger included."""
    now = datetime.now(timezone.utc)
    with alone(settings, now, wait=False, say=_refuse):
        done = Run(spark, settings, new_run_id(now), now, Reporter(quiet=True))
        with recorded(done, _refuse):
            for stage in STAGES:
                done.stage(stage)


def _refuse(text: str) -> None:
    raise AssertionError(text)


class Points:
    """The moments before and after each commit; at the one that is ``fatal`` nothing of the process group goes on."""

    def __init__(self) -> None:
        self.fatal = ""
        self.passed: list[str] = []

    def at(self, point: str) -> None:
        self.passed.append(point)
        if point == self.fatal:
            os.killpg(os.getpgrp(), signal.SIGKILL)
            time.sleep(60)

    def watch_the_doors(self) -> None:
        """Every way to commit tells its point. Bronze's commit is made inside the stream's batch, so the point after
        it lies between the data's commit and the stream's own."""
        for name in DOORS:
            setattr(Lakehouse, name, self._around(getattr(Lakehouse, name), name))
        original = Lakehouse.batch_writer

        def batch_writer(lakehouse: Lakehouse, table: Any, *args: Any, **options: Any) -> Callable[..., None]:
            write = original(lakehouse, table, *args, **options)

            def told(rows: Any, number: int) -> None:
                self.at(f"before stream {table}")
                write(rows, number)
                self.at(f"after stream {table}")

            return told

        Lakehouse.batch_writer = batch_writer  # type: ignore[method-assign]  # the package has no hooks for tests

    def _around(self, door: Callable[..., None], name: str) -> Callable[..., None]:
        def told(lakehouse: Lakehouse, table: Any, *args: Any, **options: Any) -> None:
            self.at(f"before {name} {table}")
            door(lakehouse, table, *args, **options)
            self.at(f"after {name} {table}")

        return told


def serve(folder: str, root: str, log: str, line: Connection) -> None:
    """Runs the use case for each point that comes through ``line`` (see Points.fatal), in a session and a process
    group of its own; answers with an empty mapping when it is ready, then for each run with its points and seconds, or
    its error."""
    os.setsid()
    with open(log, "ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    settings = load(Path(folder), "local", [f"environment.root={root}"])
    points = Points()
    points.watch_the_doors()
    spark = session(settings)
    line.send({})
    while True:
        points.fatal, points.passed = line.recv(), []
        started = time.monotonic()
        try:
            run(spark, settings)
            line.send({"points": points.passed, "seconds": time.monotonic() - started})
        except Exception as error:
            line.send({"error": f"{type(error).__name__}: {error}"})
