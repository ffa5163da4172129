"""Files that cannot be read, found among those that can by reading ever smaller parts of a batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.errors import DataError
from lakeloop.rawfiles import Group, NoFields, RawFile, RawFiles, with_columns

# What Spark and its readers say of content that is not as it should be.
_CONTENT = re.compile(
    r"FAILED_READ_FILE|CANNOT_READ_FILE|MALFORMED_|UNABLE_TO_INFER_SCHEMA|COLUMN_ALREADY_EXISTS|PARQUET_TYPE_"
    r"|Could not read footer|EOFException|java\.util\.zip\.|CharConversionException|MalformedInputException"
    r"|JsonParseException|TextParsingException|org\.apache\.parquet\.\S*Exception"
)
# What has nothing to do with content, though it may show while a file is read: the next run may not meet it.
_MACHINE = re.compile(
    r"OutOfMemory|StackOverflow|NotFoundException$|NoSuchFile|AccessControl|AccessDenied|Timeout|Interrupt|Cancel"
    r"|ExecutorLost|NoClassDefFound|NoSuchMethod|UnsatisfiedLink|^java\.net\.|^javax\.net\.|amazon|azure|google\.cloud"
)
_MACHINE_SAYS = re.compile(
    r"No space left|Disk quota|Too many open files|Input/output error|Stale file handle|Permission denied|Forbidden"
    r"|FILE_NOT_EXIST|UNSUPPORTED_FILE_SYSTEM|was cancelled|timed out|Connection re(?:set|fused)|native \w+ library"
)
_CAUSE = re.compile(r"^(?:Caused by: |: )?((?:[\w$]+\.)+[\w$]+(?:Exception|Error))(?:: (.*))?$", re.MULTILINE)
# Exceptions whose message tells of a file's form. Those of parsers quote what they could not parse.
_TELLING = re.compile(
    r"java\.io\.(?:EOF|IO)Exception: |java\.util\.zip\.|org\.apache\.parquet\."
    r"|java\.lang\.RuntimeException: \S+ is not a "
)
_LONGEST = 200
NANOSECONDS = (
    "it has times in nanoseconds, which Spark reads, as whole numbers, where the environment says spark: "
    "{spark.sql.legacy.parquet.nanosAsLong: true}"
)


@dataclass(frozen=True)
class Unreadable:
    """A file that fails to be read alone. ``rows_read`` is how many of its rows could be read before the place where
    it breaks, None where that is not known; ``reason`` has no value of its rows."""

    file: RawFile
    rows_read: int | None
    reason: str


@dataclass(frozen=True)
class Sifted:
    """Files in ``readable`` sets, the files of each can be read together, and those that cannot be read."""

    readable: Sequence[RawFiles]
    unreadable: Sequence[Unreadable]

    def groups(self, known: Sequence[T.StructField], infer: bool) -> list[Group]:
        """The rows of the readable files; see RawFiles.groups."""
        found: list[Group] = []
        # The largest file tells the columns of files that do not name them.
        for files in sorted(self.readable, key=lambda files: -max(file.bytes for file in files.files)):
            for group in files.groups(known, infer=infer):
                known = with_columns(known, group)
                found.append(group)
        return found


def sift(files: RawFiles, known: Sequence[T.StructField], infer: bool) -> Sifted:
    """Which files can be read, and which cannot; nothing is written. ``known`` are the raw columns of bronze.

    For one bad file of n this reads them about three times. A failure that is not of a file's content is raised.
    """
    readable, unreadable = _halved(files, known, infer)
    if unreadable and len(readable) > 1:
        # As they would have been without the others.
        good = {path for part in readable for path in part.paths}
        readable, more = _halved(files.only(good), known, infer)
        unreadable += more
    return Sifted(readable, unreadable)


def _halved(files: RawFiles, known: Sequence[T.StructField], infer: bool) -> tuple[list[RawFiles], list[Unreadable]]:
    try:
        for group in files.groups(known, infer=infer):
            _count(group)
        return [files], []
    except NoFields:
        # Its broken lines are kept as such, where other files tell the fields.
        return [files], []
    except Exception as error:
        reason = content_failure(error)
        if reason is None:
            raise
    if len(files.files) == 1:
        return [], [Unreadable(files.files[0], _rows_before(files, known, infer), reason)]
    parts = [_halved(half, known, infer) for half in files.halves()]
    return [part for readable, _ in parts for part in readable], [file for _, bad in parts for file in bad]


def _count(group: Group) -> int:
    """How many rows there are, each of them read whole: a count alone would not look into the columns."""
    whole = F.length(F.to_json(F.struct("*")))
    found = group.rows.agg(F.count(F.lit(1)).alias("rows"), F.max(whole)).collect()
    return int(found[0]["rows"])


def _rows_before(files: RawFiles, known: Sequence[T.StructField], infer: bool) -> int | None:
    """How many rows can be read before the place where the file breaks; None where not even its columns can be told."""
    tolerant = files.source.model_copy(update={"options": {**files.source.options, "ignoreCorruptFiles": "true"}})
    try:
        return sum(_count(group) for group in replace(files, source=tolerant).groups(known, infer=infer))
    except Exception:
        return None


def content_failure(error: BaseException) -> str | None:
    """Why a file's content cannot be read, in few words and without a value of it; None where the failure is another:
    of the disk, the network, the memory or the code."""
    if isinstance(error, DataError):
        return str(error)
    stack = getattr(error, "_stackTrace", None) or getattr(error, "_stacktrace", None) or ""
    lines = [line for line in f"{error}\n{stack}".splitlines() if not line.startswith("\tat ")]
    text = "\n".join(lines)
    causes = _CAUSE.findall(text)
    if any(_MACHINE.search(name) or _MACHINE_SAYS.search(message) for name, message in causes):
        return None
    if _MACHINE_SAYS.search(text) or not _CONTENT.search(text):
        return None
    if "TIMESTAMP(NANOS" in text:
        return NANOSECONDS
    telling = [cause for cause in causes if cause[1] and _TELLING.match(": ".join(cause))]
    if telling:
        name, message = telling[-1]
        plain = re.sub(r"\S*/\S+", "the file", message.split(", but found")[0]).strip()
        return f"{name.rpartition('.')[2]}: {plain}"[:_LONGEST]
    conditions = [name for name in re.findall(r"\[([A-Z][A-Z_.]+)\] ", text) if not name.startswith("FAILED_READ_FILE")]
    last = causes[-1][0].rpartition(".")[2] if causes else type(error).__name__
    return f"{conditions[-1]} ({last})" if conditions else last


__all__ = ["Sifted", "Unreadable", "content_failure", "sift"]
