"""The same tables in DuckDB, each written to a Parquet file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb

from bench.flights import SOURCES, Source
from bench.windows import query

READERS = {
    "csv": "read_csv('{files}', header = true, all_varchar = true, filename = '_source_file')",
    "json": "read_json('{files}', columns = {{{columns}}}, format = 'newline_delimited', filename = '_source_file')",
    "parquet": "read_parquet('{files}', filename = '_source_file')",
}
METADATA = "_source_file, _ingested_at"

DEPARTURES = """
WITH weather AS (
  SELECT origin, hour, max_by(reading, observed_at) AS reading
  FROM (
    SELECT
      origin, observed_at,
      struct_pack(temp, dewp, humid, wind_dir, wind_speed, precip, pressure, visib) AS reading,
      unnest(generate_series(observed_at, observed_at + INTERVAL 5 HOUR, INTERVAL 1 HOUR)) AS hour
    FROM {weather} weather
  )
  GROUP BY origin, hour
),
flights AS (SELECT *, scheduled_departure - INTERVAL 2 HOUR AS prediction_time FROM {flights})
SELECT
  f.flight_date, f.carrier, f.flight, f.origin, f.scheduled_departure, f.prediction_time, f.dest, f.tailnum, f.distance,
  f.hour * 60 + f.minute AS departure_minute,
  dayofweek(f.flight_date) + 1 AS day_of_week,
  (f.sched_arr_time // 100) * 60 + f.sched_arr_time % 100 AS arrival_minute,
  p.built, p.seats, p.engines, p.manufacturer,
  a.lat AS dest_lat, a.lon AS dest_lon,
  w.reading.temp, w.reading.dewp, w.reading.humid, w.reading.wind_dir, w.reading.wind_speed, w.reading.precip,
  w.reading.pressure, w.reading.visib,
  f.arr_delay
FROM flights f
LEFT JOIN weather w ON w.origin = f.origin AND w.hour = date_trunc('hour', f.prediction_time)
LEFT JOIN {planes} p ON p.tailnum = f.tailnum
LEFT JOIN {airports} a ON a.faa = f.dest
"""

MOVEMENTS = """
WITH local AS (
  SELECT
    f.*, a.tzone,
    CAST(f.flight_date AS timestamp) + to_hours(arr_time // 100) + to_minutes(arr_time % 100) AS arrival_there
  FROM {flights} f LEFT JOIN {airports} a ON a.faa = f.dest
),
landed AS (
  -- An hour that comes twice, when summer time ends, is the first of the two, as in Spark.
  SELECT *, timezone('UTC', least(
    timezone(tzone, arrival_there), timezone(tzone, arrival_there - INTERVAL 1 HOUR) + INTERVAL 1 HOUR
  )) AS arrival
  FROM local
)
SELECT
  flight_date, carrier, flight, origin, scheduled_departure, dest, tailnum, departed_at,
  CASE
    WHEN arr_delay IS NULL THEN NULL
    WHEN arrival IS NULL THEN departed_at + to_minutes(CAST(air_time AS int) + 30)
    WHEN arrival < departed_at THEN arrival + INTERVAL 1 DAY
    ELSE arrival
  END AS arrived_at,
  dep_delay, arr_delay
FROM landed
"""


class Duck:
    """Parquet files below ``root``, from the raw files in ``landing``; as many threads as there are cores."""

    def __init__(self, landing: Path, root: Path) -> None:
        self.landing = landing
        self.root = root
        self.connection = duckdb.connect()
        self.connection.execute(f"SET threads = {os.cpu_count() or 2}")
        self.connection.execute("SET TimeZone = 'UTC'")
        # Else the whole result waits in memory for its place.
        self.connection.execute("SET preserve_insertion_order = false")

    def clear(self) -> None:
        """Removes all files."""
        shutil.rmtree(self.root, ignore_errors=True)

    def file(self, table: str) -> Path:
        """Where a table is."""
        return self.root / f"{table}.parquet"

    def _from(self, table: str) -> str:
        return f"read_parquet('{self.file(table)}')"

    def _write(self, select: str, table: str) -> None:
        self.file(table).parent.mkdir(parents=True, exist_ok=True)
        self.connection.execute(f"COPY ({select}) TO '{self.file(table)}' (FORMAT parquet)")

    def bronze(self) -> None:
        """The files' columns as texts, with the file of each row."""
        for name, source in SOURCES.items():
            columns = ", ".join(f"{column}: 'varchar'" for column in source.raw)
            files = self.landing / name / f"*.{source.format}"
            reader = READERS[source.format].format(files=files, columns=columns)
            self._write(f"SELECT *, now()::timestamp AS _ingested_at FROM {reader}", f"bronze/{name}")

    def silver(self) -> None:
        """Typed rows, one a key; those that break a rule in quarantine, with the names of the rules."""
        for name, source in SOURCES.items():
            judged = _judged(source, self._from(f"bronze/{name}"))
            newest = f"row_number() OVER (PARTITION BY {', '.join(source.key)} ORDER BY _source_file DESC)"
            columns = f"{', '.join(source.columns)}, {METADATA}"
            good = f"SELECT {columns} FROM ({judged}) WHERE len(_failed_rules) = 0 QUALIFY {newest} = 1"
            self._write(good, f"silver/{name}")
            bad = f"SELECT _raw.*, {METADATA}, _failed_rules FROM ({judged}) WHERE len(_failed_rules) > 0"
            self._write(bad, f"quarantine/{name}")

    def gold(self) -> None:
        """The use case's queries in DuckDB's SQL."""
        tables = {name: self._from(f"silver/{name}") for name in SOURCES}
        self._write(DEPARTURES.format(**tables), "gold/departures")
        self._write(MOVEMENTS.format(**tables), "gold/movements")

    def features(self) -> None:
        """The departures with features, by range windows."""
        departures, movements = self._from("gold/departures"), self._from("gold/movements")
        self._write(query(departures, movements, "epoch({})::bigint"), "features/departures")


def _judged(source: Source, bronze: str) -> str:
    """A query for typed rows with `_raw` and `_failed_rules`."""
    missing = ", ".join(f"'{text}'" for text in ("", *source.missing))
    texts = source.format != "parquet"

    def present(column: str) -> str:
        return f"CASE WHEN trim({column}) NOT IN ({missing}) THEN trim({column}) END" if texts else column

    raw = ", ".join(f"{column} := {column}" for column in source.raw)
    replaced = ", ".join(f"{present(column)} AS {column}" for column in source.raw)
    casts = ", ".join(f"TRY_CAST({column} AS {type_}) AS {column}" for column, type_ in source.casts.items())
    rules = {f"{column}_is_{type_}": f"{present(f'_raw.{column}')} IS NULL OR {column} IS NOT NULL"
             for column, type_ in source.casts.items()}  # fmt: skip
    rules |= {f"{column}_is_present": f"{column} IS NOT NULL" for column in source.key}
    rules |= {name: f"coalesce({rule}, true)" for name, rule in source.rules.items()}
    failed = ", ".join(f"CASE WHEN NOT ({rule}) THEN '{name}' END" for name, rule in rules.items())
    rows = f"SELECT *, struct_pack({raw}) AS _raw FROM {bronze}"
    rows = f"SELECT * REPLACE ({replaced}) FROM ({rows})"
    rows = f"SELECT * REPLACE ({casts}) FROM ({rows})"
    for column, expression in source.computed.items():
        rows = f"SELECT *, {expression} AS {column} FROM ({rows})"
    return f"SELECT *, list_filter([{failed}], lambda rule: rule IS NOT NULL) AS _failed_rules FROM ({rows})"
