"""How the files of tables are kept in order: `maintenance` in pipeline.yml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lakeloop.config import intervals
from lakeloop.config.values import Names, Section, Size


def _retention(value: str) -> str:
    length = intervals.seconds(value)
    if length < 7 * 86_400 or length % 86_400:
        raise ValueError("7 days or more, in whole days: younger files may be in use by a run")
    return value


class Maintenance(Section):
    """What `lakeloop maintain` does to the tables."""

    compact_below: Size = Field("128 MB", description="A file smaller than this is a small one.", examples=["64 MB"])
    small_files: int = Field(16, ge=2, description="From so many small files on a table is compacted.", examples=[50])
    retention: Annotated[str, AfterValidator(_retention)] = Field(
        "30 days",
        description="How long files that the newest version does not need are kept, and the log: so far back reach "
        "time travel, the reproduction of a model, and tables that follow the changes of others (older than that they "
        "are made anew).",
        examples=["90 days"],
    )
    statistics: dict[str, Names] = Field(
        default_factory=dict,
        description="Further columns of tables by which rows are looked up: of these, keys, dates, times and `z_order` "
        "each file's least and greatest value are kept, so that a query reads fewer files.",
        examples=["{silver.flights: [carrier]}"],
    )
    z_order: dict[str, Names] = Field(
        default_factory=dict,
        description="Tables whose rows are ordered by these columns when they are compacted.",
        examples=["{silver.flights: [origin, carrier]}"],
    )

    def looked_up_by(self, table: str) -> list[str]:
        """The columns of a table of which statistics are wanted beside those that it has by itself."""
        return [*self.z_order.get(table, ()), *self.statistics.get(table, ())]
