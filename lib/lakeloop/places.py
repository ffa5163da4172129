"""Where a source has its raw files, and where is noted which of them were taken."""

from __future__ import annotations

import re
import shutil
from difflib import get_close_matches
from pathlib import Path

from lakeloop.config import Settings
from lakeloop.config.sources import Source
from lakeloop.errors import DataError
from lakeloop.tables import TABLE_NAME

PATTERN = re.compile(r"[*?\[{]")
MOST_NAMES = 5


def checkpoint(settings: Settings, name: str) -> str:
    """The folder in which the file source notes which files it has taken."""
    return f"{settings.resolve(settings.environment.checkpoints)}/bronze/{name}"


def forget(settings: Settings, name: str) -> None:
    """Removes the notes of what was taken for a table that is not there: nothing was. Files that could not be read are
    then read again, for what was wrong may have been the source's options."""
    folder = checkpoint(settings, name)
    if "://" not in folder:
        shutil.rmtree(folder, ignore_errors=True)


def check_checkpoint(settings: Settings, name: str) -> None:
    """DataError where bronze.<name> is there and the notes of what was taken for it are gone. All files would be new to
    the source then, its batches would be counted from 0 again, and Delta leaves out batches of a number that it has: a
    new file among them would be lost."""
    folder = checkpoint(settings, name)
    if "://" not in folder and not Path(folder).is_dir():
        raise DataError(
            f"bronze.{name} is there, but not the notes of which files are in it ({folder}). Put that folder back, or "
            f"remove the table bronze.{name} as well: then all raw files are read again."
        )


def location(settings: Settings, source: Source) -> str:
    """Where the source's files are, or the name of a Delta table."""
    named = source.format == "delta" and TABLE_NAME.match(source.path)
    return source.path if named else settings.raw_files(source.path)


def same(path: str, other: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"^file:/*", "/", text).rstrip("/")

    return plain(path) == plain(other)


def check_folder(settings: Settings, name: str) -> None:
    """DataError where a folder of this machine is not there: a disk that is not mounted is no day without news."""
    path = location(settings, settings.pipeline.sources[name])
    if not settings.environment.local_master or "://" in path or TABLE_NAME.match(path):
        return
    parts = Path(path).parts
    fixed = next((number for number, part in enumerate(parts) if PATTERN.search(part)), len(parts) - 1)
    folder = Path(*parts[:fixed])
    if not folder.is_dir():
        raise DataError(
            f"sources.{name}.path: the folder {folder} is not there. Is a disk not mounted? "
            f"{advice(settings.pipeline.sources[name], path)}"
        )


def advice(source: Source, path: str) -> str:
    """How it is mended that there is nothing at ``path``, where the source's own path leads."""
    below = "" if source.path in (path, f"file://{path}") else " (it is taken below the environment's landing root)"
    return f"Put raw files there, or correct the path{below}.{_there(path)}"


def _there(path: str) -> str:
    """What is at a place of this machine in place of what was looked for."""
    if "://" in path or not path.startswith("/"):
        return ""
    folder, wanted = Path("/"), ""
    for wanted in Path(path).parts[1:]:
        if PATTERN.search(wanted) or not (folder / wanted).is_dir():
            break
        folder /= wanted
    try:
        names = sorted(other.name for other in folder.iterdir() if not other.name.startswith((".", "_")))
    except OSError:
        return ""
    if near := get_close_matches(wanted, names, n=1):
        return f" Did you mean {folder / near[0]}?"
    more = ", …" if len(names) > MOST_NAMES else ""
    return f" {folder} has {', '.join(names[:MOST_NAMES])}{more}." if names and PATTERN.search(wanted) else ""
