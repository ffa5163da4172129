"""Rows that a session keeps: planned at once, computed once."""

from __future__ import annotations

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame


def kept(rows: DataFrame) -> DataFrame | None:
    """The same rows: planned now, computed when somebody first asks for them, and kept from then on while they are
    used. None where the session keeps nothing, as serverless compute does."""
    try:
        return rows.localCheckpoint(eager=False)
    except PySparkException:
        # Whatever else is wrong shows again without this.
        return None
