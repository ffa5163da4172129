"""Every error that a user can meet, in the user's words.

An error says what happened, where, what was expected and how to mend it. The command line prints it without a
traceback and ends with the error's exit code; what caused it stays on ``__cause__`` for ``--debug``.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_CONFIGURATION = 2
EXIT_GATE = 3
EXIT_MACHINE = 4
EXIT_DATA = 5


class LakeloopError(Exception):
    """Something that a user can mend; ``str(error)`` is one or two sentences."""

    exit_code = EXIT_FAILED


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration file.

    ``where`` is the dotted path inside ``file``, e.g. ``sources.flights.key``.
    """

    file: str
    where: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        lines = [place, f"  found:    {self.found}", f"  expected: {self.expected}"]
        if self.hint:
            lines.append(f"  hint:     {self.hint}")
        return "\n".join(lines)


class ConfigurationError(LakeloopError):
    """The configuration cannot be used; carries every problem that was found, not the first alone."""

    exit_code = EXIT_CONFIGURATION

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in the configuration"
        super().__init__("\n".join([count, *map(str, problems)]))


class DefinitionChanged(LakeloopError):
    """Tables were made by another configuration, and the environment makes them anew only when asked."""

    exit_code = EXIT_CONFIGURATION


class MachineError(LakeloopError):
    """The machine lacks something: Java, disk space, network, a free port."""

    exit_code = EXIT_MACHINE


DISK_FULL = "the disk is full. Free some space and run again; nothing half done was kept."


def is_disk_full(error: BaseException) -> bool:
    """Whether that is what an error of Python, of Spark or of a library comes to."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    return number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in text or "disk is full" in text


def machine_fault(error: BaseException) -> str:
    """What the machine lacks, where that is what an error of Python or of a library comes to; else nothing."""
    if is_disk_full(error):
        return DISK_FULL[0].upper() + DISK_FULL[1:]
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename} cannot be read or written: {error.strerror}. Mend its permissions and run again."
    return ""


class DataError(LakeloopError):
    """The data breaks a promise of the configuration: a missing folder, a rule set to ``fail``, a broken contract."""

    exit_code = EXIT_DATA


class GateRefused(LakeloopError):
    """A model was trained and logged, but did not pass the gate, so no alias was moved."""

    exit_code = EXIT_GATE
