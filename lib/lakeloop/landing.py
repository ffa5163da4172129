"""Lands a use case's raw data: calls the function ``land`` of its own land.py, where it has one."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

from lakeloop.config import Settings
from lakeloop.errors import LakeloopError, MachineError

LAND_FILE = "land.py"


def land(settings: Settings, **options: str) -> int:
    """Puts the raw files below the landing root; returns how many were written, 0 where all were there.

    land.py defines ``land(root: Path, **options) -> int`` and writes each file whole and once.
    """
    file = settings.folder / LAND_FILE
    if not file.is_file():
        raise LakeloopError(
            f"{settings.folder} has no {LAND_FILE}: its raw files come from elsewhere, "
            f"below {settings.resolve('{landing}')}."
        )
    spec = importlib.util.spec_from_file_location(f"lakeloop_land_{settings.pipeline.pipeline}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, "land", None)
        if function is None:
            raise LakeloopError(f"{file} has no function land(root, **options).")
        root = Path(settings.resolve("{landing}"))
        try:
            inspect.signature(function).bind(root, **options)
        except TypeError as error:
            raise LakeloopError(
                f"{file}: land{inspect.signature(function)} does not take these options: {error}."
            ) from error
        return int(function(root, **options))
    except ModuleNotFoundError as error:
        raise LakeloopError(
            f"{file} needs the package '{error.name}': install it, for the examples with "
            "pip install 'lakeloop[example]'."
        ) from error
    except OSError as error:
        what = f"{error.filename} cannot be written" if error.filename else f"{file} failed"
        raise MachineError(f"{what}: {error.strerror or error}.") from error
