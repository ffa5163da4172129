"""What a Delta table's log says of its commits, and what Lakeloop writes into them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

METADATA = "lakeloop"
# What changes no row, so that nobody who reads the table has to look at it.
_WITHOUT_ROWS = frozenset(
    {"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "CLUSTER BY"}
)
_FILE = re.compile(r"\d{20}\.json")
_INFO = "commitInfo"


@dataclass(frozen=True)
class Commit:
    """One version of a table; ``progress`` is what Lakeloop wrote into the commit, where it made it; ``at`` is when it
    was made."""

    version: int
    operation: str
    metrics: Mapping[str, str]
    progress: Mapping[str, object] | None
    at: datetime

    @property
    def changes_rows(self) -> bool:
        """Whether readers may find other rows than before; maintenance leaves them as they are."""
        return self.operation not in _WITHOUT_ROWS

    def metric(self, name: str) -> int:
        """A count from the commit's operation metrics, 0 where it has none of that name."""
        return int(self.metrics.get(name, 0))


def metadata(progress: Mapping[str, object]) -> str:
    """``progress`` as a commit's user metadata."""
    return json.dumps({METADATA: progress}, sort_keys=True)


def progress_in(metadata: str | None) -> Mapping[str, object] | None:
    """What Lakeloop wrote into a commit's user metadata; None for the commits of others."""
    if not metadata:
        return None
    try:
        data = json.loads(metadata)
    except ValueError:
        return None
    progress = data.get(METADATA) if isinstance(data, dict) else None
    return progress if isinstance(progress, dict) else None


def in_folder(table: Path, limit: int | None = None) -> list[Commit]:
    """The commits of the table in a folder of this machine, newest first, at most ``limit``; none where there is no
    table. What ``DESCRIBE HISTORY`` says, without two queries of Spark.

    The format is Delta's: "Commit Provenance Information" in https://github.com/delta-io/delta/blob/master/PROTOCOL.md.
    """
    log = table / "_delta_log"
    try:
        names = sorted((file.name for file in log.iterdir() if _FILE.fullmatch(file.name)), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [commit for name in names[:limit] if (commit := _commit(log / name)) is not None]


def _commit(file: Path) -> Commit | None:
    """The commit in a file of the log; None where Delta has removed it since it was listed, as it does old ones."""
    info = {}
    try:
        lines = file.open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with lines:
        # It is among the first; a commit may have a line for each of many thousand files.
        for line in lines:
            if _INFO in line and _INFO in (action := json.loads(line)):
                info = action[_INFO]
                break
    return Commit(
        int(file.stem),
        info.get("operation", ""),
        info.get("operationMetrics") or {},
        progress_in(info.get("userMetadata")),
        datetime.fromtimestamp(info.get("timestamp", 0) / 1000, timezone.utc),
    )
