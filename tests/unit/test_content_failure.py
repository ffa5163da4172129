"""A failure to read is a file's own only where its content is named; what is told of it has no value of its rows."""

from __future__ import annotations

import pytest

from lakeloop.errors import DataError
from lakeloop.sifting import content_failure

READING = (
    "An error occurred while calling o1.collectToPython.\n"
    ": org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file "
    "file:///timeout/amazon/b.csv.gz. SQLSTATE: KD001\n"
    "\tat org.apache.spark.util.ThreadUtils$.awaitResult(ThreadUtils.scala:1)\n"
    "\tat java.base/java.net.Interrupt.run(Unknown)\n"
)
MALFORMED = ": org.apache.spark.SparkException: [MALFORMED_RECORD_IN_PARSING.X] Malformed records: [secret,1].\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (READING + "Caused by: java.io.EOFException: Unexpected end of ZLIB input stream\n\tat a.b(C.java:1)\n",
         "EOFException: Unexpected end of ZLIB input stream"),
        (READING + "Caused by: java.lang.RuntimeException: file:/x/b.parquet is not a Parquet file. Expected magic "
         "number at tail, but found [1, 2, 3, 4]",
         "RuntimeException: the file is not a Parquet file. Expected magic number at tail"),
        (READING + 'Caused by: java.lang.NumberFormatException: For input string: "secret"', "NumberFormatException"),
        (MALFORMED + "Caused by: org.apache.spark.sql.BadRecordException: secret",
         "MALFORMED_RECORD_IN_PARSING.X (BadRecordException)"),
    ],
)  # fmt: skip
def test_content(text: str, reason: str) -> None:
    assert content_failure(Exception(text)) == reason


@pytest.mark.parametrize(
    "text",
    [
        READING + "Caused by: java.io.IOException: No space left on device",
        READING + "Caused by: java.net.SocketException: Connection reset",
        READING + "Caused by: org.apache.hadoop.security.AccessControlException: Permission denied: user=x",
        READING + "Caused by: java.lang.OutOfMemoryError: Java heap space",
        READING + "Caused by: java.io.FileNotFoundException: File file:/x does not exist",
        READING.replace("NO_HINT", "FILE_NOT_EXIST"),
        ": org.apache.spark.SparkException: Job aborted.\nCaused by: java.lang.NullPointerException",
        "'NoneType' object is not subscriptable",
    ],
)
def test_other_failures(text: str) -> None:
    assert content_failure(Exception(text)) is None


def test_nanoseconds_are_told_with_the_setting_that_reads_them() -> None:
    text = "[PARQUET_TYPE_ILLEGAL] Illegal Parquet type: INT64 (TIMESTAMP(NANOS,false)). SQLSTATE: 42846"
    assert "spark.sql.legacy.parquet.nanosAsLong: true" in (content_failure(Exception(text)) or "")


def test_our_own_words() -> None:
    assert content_failure(DataError("two JSON fields have the same name")) == "two JSON fields have the same name"
