"""A SparkSession: made for a laptop, taken from the cluster, from Databricks or from Spark Connect."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lakeloop import connect, jars
from lakeloop.config import Settings
from lakeloop.errors import MachineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA_OLDEST = 17
FREE_SPACE = 1 << 30

DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

# An expression that cannot be computed for a row is null, and rules decide about nulls: one odd value must not
# end a run over a million rows. See docs/decisions.md.
SESSION_SETTINGS = {"spark.sql.ansi.enabled": "false", "spark.sql.session.timeZone": "UTC"}

# Spark generates methods so long that Java's optimizing compiler works on one for seconds, and then often gives up: a
# tenth of what a first run takes. Such methods stay with Java's other compiler. Other Javas pass over the options.
JAVA_OPTIONS = "-XX:+IgnoreUnrecognizedVMOptions -XX:MaxNodeLimit=20000 -XX:LiveNodeCountInliningCutoff=10000"

# What Java compiles at most, in bytes of a method. Spark makes one method of a stage of a query, as long as it gets:
# that of twenty casts and their rules is longer, and is interpreted to its end, at a quarter of the speed. Beyond this
# length Spark cuts it into methods.
LONGEST_COMPILED = "8000"

# Java code that is made for a query, and compiled, costs more than it brings where there are few rows; so does a plan
# that is made anew while it runs, and a second task.
_CODE = "spark.sql.codegen.factoryMode"
FEW_ROWS = MappingProxyType(
    {
        "spark.sql.codegen.wholeStage": "false",
        _CODE: "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.files.minPartitionNum": "1",
    }
)


def session(settings: Settings) -> SparkSession:
    """The SparkSession to work with.

    With a ``remote`` in the environment it is a client of Spark Connect: of the server at that address, or of one that
    is started here. With a ``master`` a local session is made, Delta's jars included; without either the session that
    the cluster or Databricks provides is used. MachineError says what the machine lacks.
    """
    from pyspark.sql import SparkSession

    _quiet()
    environment = settings.environment
    if environment.remote:
        connect.check_packages()
    if not environment.local_master:
        wanted = {**SESSION_SETTINGS, **environment.spark}
        if environment.remote:
            return connect.client_at(environment.remote, wanted)
        spark = SparkSession.builder.appName(f"lakeloop {settings.pipeline.pipeline}").getOrCreate()
        for key, value in wanted.items():
            spark.conf.set(key, value)
        return spark
    root = Path(settings.resolve("{root}"))
    _check_space(root)
    java = _check_java()
    paths = [str(path) for path in jars.delta_jars(java)]
    logs = root / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    there = connect.client_here()
    if there is not None:
        return there
    if not environment.remote:
        return _local_session(settings, paths, logs / "spark.log")
    connect.prepare_server()
    return connect.client_of(_local_session(settings, paths, logs / "spark.log", connect.SERVER_SETTINGS))


def for_few_rows(spark: SparkSession, settings: Settings) -> SparkSession:
    """A session beside ``spark``, of the same settings, views and functions, that interprets queries; ``spark`` itself
    where it does so already, or is a cluster's."""
    if not _is_ours(settings) or interprets(spark):
        return spark
    beside = type(spark)(spark.sparkContext, spark._jsparkSession.cloneSession())
    interpret(beside, settings)
    return beside


def interpret(spark: SparkSession, settings: Settings) -> None:
    """From now on the session interprets queries, which is quickest for few rows; a cluster's stays as it is."""
    if _is_ours(settings):
        for key, value in FEW_ROWS.items():
            spark.conf.set(key, value)


def interprets(spark: SparkSession) -> bool:
    """Whether the session interprets queries. One that does not tell, as of serverless compute, makes Java code."""
    from pyspark.errors import PySparkException

    try:
        return str(spark.conf.get(_CODE, "")).upper() == FEW_ROWS[_CODE]
    except PySparkException:
        return False


def _is_ours(settings: Settings) -> bool:
    return bool(settings.environment.local_master) and not settings.environment.remote


def _quiet() -> None:
    """PySpark prints each error of an analysis, with its stack, where it is made; ours is told in words, once."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)


def _local_session(
    settings: Settings, paths: list[str], log: Path, more: Mapping[str, str] = MappingProxyType({})
) -> SparkSession:
    from pyspark import SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    # Spark's workers take the first python3 of the PATH, which is not ours where no environment was activated.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        _give_jars_to_running_jvm(paths)
    log4j = Path(__file__).with_name("log4j2.properties").as_uri()
    options = f"{JAVA_OPTIONS} -Dlog4j2.configurationFile={log4j} -Dlakeloop.log={log}"
    wanted = {
        **DELTA_SETTINGS,
        **SESSION_SETTINGS,
        "spark.jars": ",".join(paths),
        "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
        "spark.sql.codegen.hugeMethodLimit": LONGEST_COMPILED,
        # A file on this machine is opened at once, so more of them may go into a task.
        "spark.sql.files.openCostInBytes": str(256 << 10),
        # What Delta says a timestamp is. Spark's own default is an older form, which some readers take for nanoseconds.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # VACUUM begins a task for each of these, whatever there is to do: ten thousand by default.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(os.cpu_count() or 2),
        "spark.sql.warehouse.dir": str(log.parent.parent / "_warehouse"),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Else files in windows-1252 and the like cannot be read.
        "spark.sql.legacy.javaCharsets": "true",
        # What pandas writes: times in nanoseconds, which Spark has no type for, come as whole numbers.
        "spark.sql.legacy.parquet.nanosAsLong": "true",
        # Bytes that are not of a text's encoding become \ufffd, as they do in CSV files, and end no run.
        "spark.sql.legacy.codingErrorAction": "true",
        **settings.environment.spark,
        **more,
    }
    wanted["spark.driver.extraJavaOptions"] = f"{options} {wanted.get('spark.driver.extraJavaOptions', '')}".strip()
    builder = SparkSession.builder.master(settings.environment.local_master)
    builder = builder.appName(f"lakeloop {settings.pipeline.pipeline}")
    for key, value in wanted.items():
        builder = builder.config(key, value)
    try:
        with _output_to(log.with_name("java.log")):
            spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise MachineError(f"Spark's Java process did not start; see {log.with_name('java.log')}.") from error
    if "PYSPARK_GATEWAY_PORT" in os.environ and SparkContext._active_spark_context is not None:
        spark.sparkContext.setLogLevel("WARN")
    return spark


@contextmanager
def _output_to(file: Path) -> Iterator[None]:
    """Processes that start meanwhile write to ``file`` what they would print: Java's remarks are not for users, nor for
    who reads the one JSON document of a command (VACUUM prints a line)."""
    kept = {number: os.dup(number) for number in (1, 2)}
    with file.open("ab") as log:
        try:
            for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
                stream.flush()
                os.dup2(log.fileno(), number)
            yield
        finally:
            for number, own in kept.items():
                os.dup2(own, number)
                os.close(own)


def _give_jars_to_running_jvm(paths: list[str]) -> None:
    """``spark-submit`` has started the JVM before we could name Delta's jars: adds them to its class loader."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized()  # type: ignore[attr-defined]  # the only way to the gateway before a session
    jvm = SparkContext._jvm
    assert jvm is not None
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for path in paths:
        loader.addURL(jvm.java.io.File(path).toURI().toURL())


def _check_java() -> str:
    """Path of a Java that Spark can use; MachineError where there is none."""
    advice = f"Spark needs Java {JAVA_OLDEST} or 21: install one, or set JAVA_HOME to it."
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        raise MachineError(f"No Java was found{f' in JAVA_HOME ({home})' if home else ''}. {advice}")
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise MachineError(f"{java} cannot be started ({error.strerror}). {advice}") from error
    match = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
    if not match:
        raise MachineError(f"{java} does not tell its version. {advice}")
    major = int(match.group(1)) if match.group(1) != "1" else int(match.group(2) or 0)
    if major < JAVA_OLDEST:
        raise MachineError(f"{java} is Java {major}. {advice}")
    return java


def _check_space(root: Path) -> None:
    """MachineError where the disk of ``root`` is all but full, or the folder cannot be made."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"The folder {root} cannot be made: {error.strerror}.") from error
    free = shutil.disk_usage(root).free
    if free < FREE_SPACE:
        raise MachineError(
            f"Only {free / (1 << 20):,.0f} MB are free where {root} is; a run needs {FREE_SPACE >> 30} GB. "
            "Free some space, or name another folder with --set environment.root=PATH."
        )
