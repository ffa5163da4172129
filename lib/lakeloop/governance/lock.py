"""One run at a time on a use case's local tables: a lock that dies with its process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from lakeloop.config import Settings
from lakeloop.errors import LakeloopError, MachineError

LOCK = ".lock"


@contextmanager
def alone(settings: Settings, now: datetime, wait: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Nobody else runs this use case on these tables meanwhile.

    Where another does: LakeloopError with its process and since when, or with ``wait`` ``say`` is told that, and its
    end is awaited. There is no lock for tables in a catalog or an object store (a job's `max_concurrent_runs: 1` does
    that there), nor where the file system or the system knows none.
    """
    file = lock_file(settings)
    if file is None:
        yield
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Opened to append: whoever only looks must not wipe out what the holder has written.
        opened = file.open("a+", encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{file} cannot be written: {error.strerror}.") from error
    with opened as held:
        if not _take(held.fileno(), wait=False):
            held.seek(0)
            other = f"{settings.pipeline.pipeline} is being run already ({held.read().strip() or 'starting'})"
            if not wait:
                raise LakeloopError(f"{other}. Run again when it has ended, or with --wait to wait for that.")
            say(f"{other}: waiting for its end")
            _take(held.fileno(), wait=True)
        held.truncate(0)
        held.write(f"process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S} UTC")
        held.flush()
        try:
            yield
        finally:
            held.truncate(0)


def lock_file(settings: Settings) -> Path | None:
    """The file that is locked, or None where the tables are not in a folder of this machine."""
    root = settings.resolve("{root}")
    if not settings.environment.tables_are_paths or "://" in settings.resolve(
        settings.environment.tables, layer="layer", table="table"
    ):
        return None
    return Path(root) / settings.pipeline.pipeline / LOCK if "://" not in root else None


def _take(descriptor: int, wait: bool) -> bool:
    """Whether the lock is ours now."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
