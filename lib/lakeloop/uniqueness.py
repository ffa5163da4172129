"""Whether rows have each key once: told by Spark before they are computed, or looked at while they are."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def is_key(rows: DataFrame, columns: Sequence[str]) -> bool:
    """Whether Spark can tell by the plan of ``rows``, without computing them, that no two have the same ``columns``.

    Spark knows this of what is grouped or freed of duplicates by the columns, and follows it through projections and
    through joins that match once (LogicalPlan.distinctKeys). False where it cannot tell, and on Spark Connect, whose
    clients do not see plans.
    """
    plan = getattr(rows.select(*columns), "_jdf", None)
    if plan is None:
        return False
    from py4j.protocol import Py4JError

    try:
        return not plan.queryExecution().optimizedPlan().distinctKeys().isEmpty()
    except Py4JError:
        return False


def unique(rows: DataFrame, key: Sequence[str], table: str) -> DataFrame:
    """The same rows; computing them fails where two have the same key (a join that multiplies rows does that)."""
    copies = F.count(F.lit(1)).over(Window.partitionBy(*key))
    message = (
        f"{table}: its query gives several rows for one key ({', '.join(key)}); "
        "look for a join that matches more than once"
    )
    once = F.when(F.col("_copies") == 1, True).otherwise(F.raise_error(F.lit(message)).cast("boolean"))
    return rows.withColumn("_copies", copies).filter(once).drop("_copies")
