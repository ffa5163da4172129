"""What the flights' tables are, as both hand-written pipelines have it: Spark SQL that DuckDB understands as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """``raw`` are the files' columns, ``casts`` the typed ones of the same names, ``computed`` follow from those and
    from each other; rows that break a rule go to quarantine, of the others the last of a key stays."""

    format: str
    raw: Sequence[str]
    key: Sequence[str]
    casts: Mapping[str, str]
    computed: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    missing: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """Of the silver table."""
        return [*self.casts, *self.computed]

    @property
    def texts(self) -> list[str]:
        """The raw columns that are texts in the files."""
        numbers = self.format == "json"
        return [name for name in self.raw if not numbers or self.casts.get(name) in ("string", "timestamp")]


def _names(text: str) -> list[str]:
    return text.split()


DEPARTURE = ["flight_date", "carrier", "flight", "origin", "scheduled_departure"]

SOURCES = {
    "flights": Source(
        "csv",
        _names(
            "year month day dep_time sched_dep_time dep_delay arr_time sched_arr_time arr_delay carrier flight tailnum "
            "origin dest air_time distance hour minute time_hour"
        ),
        DEPARTURE,
        {
            **dict.fromkeys(_names("year month day flight hour minute sched_arr_time arr_time"), "int"),
            **dict.fromkeys(_names("carrier tailnum origin dest"), "string"),
            **dict.fromkeys(_names("distance dep_delay arr_delay air_time"), "double"),
            "time_hour": "timestamp",
        },
        {
            "flight_date": "make_date(year, month, day)",
            "scheduled_departure": "time_hour + minute * INTERVAL '1' MINUTE",
            "departed_at": "scheduled_departure + cast(dep_delay AS int) * INTERVAL '1' MINUTE",
        },
        {
            "distance_is_positive": "distance > 0",
            "departs_within_a_day": "abs(dep_delay) < 1440",
            "is_inside_the_day": "hour BETWEEN 0 AND 24 AND minute BETWEEN 0 AND 59",
        },
        ["NA"],
    ),
    "weather": Source(
        "json",
        _names(
            "origin year month day hour temp dewp humid wind_dir wind_speed wind_gust precip pressure visib time_hour"
        ),
        ["origin", "observed_at"],
        {
            "origin": "string",
            "time_hour": "timestamp",
            **dict.fromkeys(_names("temp dewp humid wind_dir wind_speed precip pressure visib"), "double"),
        },
        {"observed_at": "time_hour"},
        {"wind_is_possible": "wind_speed < 200", "humidity_is_a_percentage": "humid BETWEEN 0 AND 100"},
    ),
    "planes": Source(
        "parquet",
        _names("tailnum year type manufacturer model engines seats speed engine"),
        ["tailnum"],
        {"tailnum": "string", "manufacturer": "string", "engines": "int", "seats": "int"},
        {"built": "try_cast(year AS int)"},
    ),
    "airports": Source(
        "csv",
        _names("faa name lat lon alt tz dst tzone"),
        ["faa"],
        {**dict.fromkeys(_names("faa name tzone"), "string"), **dict.fromkeys(_names("lat lon alt"), "double")},
        missing=["NA", "\\N"],
    ),
    "airlines": Source("csv", ["carrier", "name"], ["carrier"], {"carrier": "string", "name": "string"}),
}
