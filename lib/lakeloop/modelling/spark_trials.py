"""SparkTrials on workers that live longer than one trial, where Spark has what they need."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyspark.sql import SparkSession


def distributes(spark: SparkSession) -> bool:
    """Whether trials can be sent to Spark's workers: SparkTrials needs a Spark context, and Spark Connect has none."""
    try:
        spark.sparkContext  # noqa: B018  # platforms without one refuse it, each with an error of its own
    except Exception:
        return False
    return True


def parallel(spark: SparkSession, parallelism: int | str) -> int:
    """How many trials run at a time (auto: one a core); on Spark Connect it is one."""
    if not distributes(spark):
        return 1
    return int(spark.sparkContext.defaultParallelism if parallelism == "auto" else parallelism)


def spark_trials(spark: SparkSession, parallelism: int) -> Any | None:
    """SparkTrials with as many trials at a time, or None on Spark Connect."""
    if not distributes(spark):
        return None
    from hyperopt import SparkTrials

    # Hyperopt starts its threads without naming a session, which is as well: there is one.
    warnings.filterwarnings("ignore", message="Spark session is not provided")
    return SparkTrials(parallelism=parallelism, spark_session=_Session(spark))


def shared(spark: SparkSession, value: Any) -> Callable[[], Any]:
    """A function that gives ``value`` wherever a trial runs, sent to each machine once."""
    if not distributes(spark):
        return lambda: value
    sent = spark.sparkContext.broadcast(value)
    return lambda: sent.value


class _Session:
    """A session whose Spark context is a `_Context`; everything else is the session's own."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self.sparkContext = _Context(spark.sparkContext)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spark, name)


class _Context:
    """A Spark context whose RDDs are read to their end before a function gets them.

    Hyperopt's function does not look at its one-row RDD. A Python worker that leaves input unread is ended by Spark, so
    each trial would start a process and import everything anew: seven seconds, where a small fit takes three.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def parallelize(self, items: Iterable[Any], slices: int | None = None) -> Any:
        return self._context.parallelize(items, slices).mapPartitions(_read)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _read(items: Iterable[Any]) -> Iterator[Any]:
    return iter(list(items))
