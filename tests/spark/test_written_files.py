"""What is in the files of a table, for readers other than Spark."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import MakeUseCase

from lakeloop.tables import Table

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)


def test_times_are_microseconds_in_utc_as_delta_says(use_case: MakeUseCase) -> None:
    case = use_case()
    rows = case.spark.createDataFrame([(NOW,)], "at timestamp")

    case.lakehouse.create(Table("silver", "orders"), rows, {})

    (file,) = Path(case.lakehouse.location(Table("silver", "orders"))).glob("*.parquet")
    assert pq.read_table(file, partitioning=None).schema.field("at").type == pa.timestamp("us", tz="UTC")
