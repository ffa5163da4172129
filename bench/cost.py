"""What a piece of work costs: seconds of waiting and seconds of CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Cost:
    """``seconds`` on the clock, and of CPU (user and system, all cores); NaN where the system does not tell (it is no
    Linux). The clock is what users feel, the CPU suffers less from others on the machine."""

    seconds: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.cpu + other.cpu)


def measured(work: Callable[[], object]) -> Cost:
    """Does the work; returns what it took in this process and in all that it started: Java, Python workers."""
    cpu, started = cpu_seconds(), time.monotonic()
    work()
    return Cost(time.monotonic() - started, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """The CPU time of this process and of its descendants, those that have ended among them, so far."""
    if not (_PROC / "self" / "stat").exists():
        return float("nan")
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                # The name of the program, in brackets, may hold anything.
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            process = int(folder.name)
            parents[process] = int(fields[1])
            # utime, stime and those of children that have ended
            ticks[process] = sum(map(int, fields[11:15]))
    return sum(ticks[process] for process in ticks if _descends(process, parents)) / os.sysconf("SC_CLK_TCK")


def _descends(process: int, parents: dict[int, int]) -> bool:
    while process in parents and process != os.getpid():
        process = parents[process]
    return process == os.getpid()
