"""What Spark failed at, in words that a user can act on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyspark.errors import PySparkException

from lakeloop.config.loading import PIPELINE_FILE
from lakeloop.errors import (
    DISK_FULL,
    ConfigurationError,
    DataError,
    LakeloopError,
    MachineError,
    Problem,
    is_disk_full,
)
from lakeloop.tables import is_conflict

# How Python notices that there is no Java any more.
_JAVA_GONE = re.compile(
    r"Answer from Java side is empty|while sending or receiving|trying to connect to the Java server"
)
# The same of Spark Connect, where the server may be another machine's.
_SERVER_GONE = re.compile(r"StatusCode\.UNAVAILABLE|RETRIES_EXCEEDED")


def explaining(stage: str, what: str, work: Callable[[], Any]) -> Any:
    """What ``work`` returns; a failure of Spark is told in the user's words."""
    try:
        return work()
    except PySparkException as error:
        raise explained(stage, what, error) from error
    except Exception as error:
        if type(error).__module__.startswith("py4j"):
            raise explained(stage, what, error) from error
        raise


def explained(stage: str, what: str, error: Exception) -> LakeloopError:
    """A failure of Spark as the one sentence in it that a user can act on."""
    text = str(error)
    own = re.search(r"\[USER_RAISED_EXCEPTION\] (.*?)(?: SQLSTATE|$)", text, re.MULTILINE)
    if own:
        return DataError(own.group(1).strip())
    if is_disk_full(error):
        return MachineError(f"{what}: {DISK_FULL}")
    if is_conflict(error):
        return LakeloopError(
            f"{what}: somebody else wrote to the table at the same time, twice. Nothing half done was kept: run again "
            "when the other has ended."
        )
    if _JAVA_GONE.search(text):
        return MachineError(
            f"{what}: Spark's Java process has ended, by the system for want of memory or by a signal. What was "
            "committed stays, and the next run goes on from there."
        )
    if _SERVER_GONE.search(text):
        return MachineError(
            f"{what}: Spark's server does not answer any more: it has ended, or the network to it is down. What was "
            "committed stays, and the next run goes on from there."
        )
    if "OutOfMemoryError" in text or "SparkOutOfMemoryError" in text:
        return MachineError(
            f"{what}: Spark ran out of memory. Give it more with --set environment.spark.'spark.driver.memory'=8g "
            "(or in conf/env), and run again."
        )
    written = re.search(r"\[(?:UNRESOLVED|PARSE_|DATATYPE_MISMATCH)[\w.]*\] (.*)", text)
    if written:
        said = written.group(1).split(" SQLSTATE")[0].strip()[:400]
        hint = "lakeloop check says which expression it is"
        return ConfigurationError([Problem(PIPELINE_FILE, what, said, "expressions that the columns fit", hint)])
    causes = re.findall(r"^(?:Caused by: )?(?:[\w.$]+(?:Exception|Error): )(.*)$", text, re.MULTILINE)
    line = next((cause for cause in reversed(causes) if cause.strip()), text.strip().splitlines()[0])
    return LakeloopError(f"{stage}, {what}: {line.strip()[:600]}")
