"""Kills runs and looks at what is left: a use case in a process of its own, days of raw files, tables compared."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml
from deltalake import DeltaTable

from lakeloop.config import Settings, load

from . import worker

FIRST_DAY = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
LAYERS = ("bronze", "silver", "quarantine", "gold", "features")
# When a run happened differs between two lakehouses; everything else must not.
OF_THE_RUN = ("_ingested_at",)
PATIENCE = 300

PIPELINE = """
pipeline: shop
sources:
  orders:
    path: orders/*.csv
    options: {header: true}
    key: order_id
    history: true
    columns: {order_id: int, customer: string, at: timestamp, day: to_date(at), amount: int}
    expect: {amount_is_positive: amount > 0}
  visits:
    path: visits/*.jsonl
    format: json
    key: visit
    columns: {visit: string, day: date, pages: int}
    expect: {saw_a_page: {rule: pages > 0, otherwise: quarantine}}
gold:
  purchases:
    sql: SELECT order_id, customer, at, day, amount FROM silver.orders
    key: order_id
    time: at
    increment_by: day
  days:
    sql: >
      SELECT o.day, o.orders, o.amount, v.pages
      FROM (SELECT day, count(*) AS orders, sum(amount) AS amount FROM gold.purchases GROUP BY day) o
      LEFT JOIN (SELECT day, sum(pages) AS pages FROM silver.visits GROUP BY day) v ON v.day = o.day
    key: day
    increment_by: day
features:
  customers:
    entity: customer
    from: silver.orders
    time: at
    resolution: 1 hour
    windows: [1 day, 3 days]
    measures: {spent: sum(amount), orders: count(*)}
model: {task: binary, spine: gold.purchases, label: amount > 50, split: {by: time}}
"""

# What a few kills need: one source, and the table that a model would learn from.
SMALL = """
pipeline: shop
sources:
  orders:
    path: orders/*.csv
    options: {header: true}
    key: order_id
    columns: {order_id: int, customer: string, at: timestamp, amount: int}
    expect: {amount_is_positive: amount > 0}
model: {task: binary, spine: silver.orders, label: amount > 50, split: {by: random}}
"""

Snapshot = dict[str, list[tuple[Any, ...]]]


def write_use_case(folder: Path, spark: dict[str, Any], pipeline: str = PIPELINE) -> Path:
    """The shop's configuration below ``folder``; its root is given with each run."""
    home = folder / "conf" / "shop"
    environment = home.parent / "env" / "local.yml"
    for file, text in {
        home / "pipeline.yml": pipeline,
        environment: yaml.safe_dump({"root": "unset", "master": "local[2]", "spark": spark}),
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return home


def land(settings: Settings, day: int) -> None:
    """The raw files of a day: new rows, corrections of the day before (one of which moves to this day), a row that is
    delivered again, and on some days rows that break a rule or do not parse."""
    at = FIRST_DAY + timedelta(days=day)
    orders = [(day * 10 + n, f"c{n % 3}", f"{at:%Y-%m-%d} {8 + n}:30:00", 10 * n + day % 7 + 1) for n in range(6)]
    lines = [",".join(map(str, order)) for order in orders]
    lines += [f"{day * 10 - 10},c0,{at - timedelta(days=1):%Y-%m-%d} 08:30:00,{100 + day}"]
    lines += [f"{day * 10 - 9},c1,{at:%Y-%m-%d} 07:15:00,{200 + day}", lines[0]]
    if day % 2:
        lines += [f"{day * 10 + 7},c1,{at:%Y-%m-%d} 09:00:00,-5", f"{day * 10 + 8},c2,soon,7"]
    visits = [{"visit": f"v{day}-{n}", "day": f"{at:%Y-%m-%d}", "pages": n + 1} for n in range(4)]
    visits += [{"visit": f"v{day - 1}-0", "day": f"{at - timedelta(days=1):%Y-%m-%d}", "pages": 50 + day}]
    texts = [json.dumps(visit) for visit in visits] + ["{broken"] * (day % 3 == 0)
    landing = Path(settings.resolve("{landing}"))
    for name, text in {
        f"orders/{at:%Y-%m-%d}.csv": "\n".join(["order_id,customer,at,amount", *lines]),
        f"visits/{at:%Y-%m-%d}.jsonl": "\n".join(texts),
    }.items():
        file = landing / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
        os.utime(file, (at.timestamp(), at.timestamp()))


def snapshot(settings: Settings) -> Snapshot:
    """All rows of all tables, read without Spark, but for what tells one run from another."""
    root = settings.resolve("{root}")
    found: Snapshot = {}
    for layer in LAYERS:
        for log in sorted(Path(root, "shop", layer).glob("*/_delta_log")):
            rows = DeltaTable(str(log.parent)).to_pyarrow_table()
            rows = rows.drop_columns([name for name in OF_THE_RUN if name in rows.column_names])
            plain = [
                tuple((key, str(value).replace(root, "")) for key, value in row.items()) for row in rows.to_pylist()
            ]
            found[f"{layer}.{log.parent.name}"] = sorted(plain)
    return found


def versions(settings: Settings) -> dict[str, int]:
    """Each table's newest version, the ledger's too."""
    logs = sorted(Path(settings.resolve("{root}"), "shop").glob("*/*/_delta_log"))
    return {f"{log.parent.parent.name}.{log.parent.name}": DeltaTable(str(log.parent)).version() for log in logs}


@dataclass(frozen=True)
class AtPoint:
    """Dies before or after a commit: ``after merge silver.orders``."""

    point: str


@dataclass(frozen=True)
class AfterSeconds:
    """Dies at an instant."""

    seconds: float


@dataclass(frozen=True)
class AtFile:
    """Dies as soon as ``folder`` (below the root) has a new file whose name ends so: in the midst of a commit."""

    folder: str
    ending: str


Kill = AtPoint | AfterSeconds | AtFile


class Killed(Exception):
    """The run is dead, as was wanted."""


class Worker:
    """A process with a Spark session, in a process group of its own, that runs the shop on demand."""

    # Its modules are imported once, in the server that the processes are forked from; that takes seconds.
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["soak.worker"])

    def __init__(self, home: Path, root: Path, log: Path) -> None:
        self._root = root
        self._log = log
        self._line, theirs = self._context.Pipe()
        arguments = (str(home), str(root), str(log), theirs)
        self._process = self._context.Process(target=worker.serve, args=arguments, daemon=False)
        self._process.start()
        theirs.close()
        assert self._answer(lambda: False) is not None, f"it died by itself, see {log}"

    def run(self, kill: Kill | None = None) -> dict[str, Any]:
        """One run: the points that it passed and its seconds. Killed where it is killed; AssertionError where it fails
        or dies by itself."""
        self._line.send(kill.point if isinstance(kill, AtPoint) else "")
        answer = self._answer(self._due(kill))
        if answer is None:
            assert kill is not None, f"the run died by itself, see {self._log}"
            raise Killed(kill)
        assert "error" not in answer, answer["error"]
        return answer

    def _due(self, kill: Kill | None) -> Callable[[], bool]:
        """Whether the moment has come for the parent to kill."""
        if isinstance(kill, AfterSeconds):
            until = time.monotonic() + kill.seconds
            return lambda: time.monotonic() >= until
        if isinstance(kill, AtFile):
            folder, ending = self._root / kill.folder, kill.ending
            before = _names(folder)
            return lambda: any(name.endswith(ending) for name in _names(folder) - before)
        return lambda: False

    def _answer(self, due: Callable[[], bool]) -> dict[str, Any] | None:
        """What it says next; None where it has died, by its own hand or, when it is ``due``, by ours."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self._line.poll(0.0005):
                try:
                    return dict(self._line.recv())
                except (EOFError, ConnectionResetError):
                    self.kill()
                    return None
            if due():
                self.kill()
                return None
        self.kill()
        raise AssertionError(f"no answer in {PATIENCE} s, see {self._log}")

    def kill(self) -> None:
        """SIGKILL for the whole group and for Spark's Python workers, which are in groups of their own; when it
        returns none of them is left."""
        leader = self._process.pid
        assert leader is not None
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        while left := _session(leader):
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        self._line.close()


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()


def _session(leader: int) -> list[int]:
    """The processes of a session that still run (Linux)."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            state, *fields = (
                (process / "stat").read_text().rpartition(")")[2].split() if process.name.isdigit() else [""]
            )
        except OSError:
            continue
        if fields and int(fields[2]) == leader and state != "Z":
            found.append(int(process.name))
    return found


def settings_at(home: Path, root: Path) -> Settings:
    """The shop with its lakehouse at ``root``."""
    return load(home, "local", [f"environment.root={root}"])
