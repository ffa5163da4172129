"""The raw files of the flights for any number of days: the example's year, and again with its years moved."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from lakeloop import landing
from lakeloop.config import Settings

FIRST = date(2013, 1, 1)
YEAR = 365
BY_DAY = ("flights", "weather")
# A year as the first column of a CSV, as a JSON field and in a time.
_YEARS = re.compile(r'^20\d\d(?=,)|(?<="year":)20\d\d|20\d\d(?=-\d\d-\d\d[T ])', re.MULTILINE)


def land(folder: Path, settings: Settings, days: int) -> Path:
    """Writes the raw files of so many days below ``folder``, where they are not there yet; returns the folder."""
    environment = settings.environment.model_copy(update={"landing": str(folder)})
    last = FIRST + timedelta(days=min(days, YEAR) - 1)
    landing.land(replace(settings, environment=environment), last=str(last))
    for number in range(YEAR, days):
        for source, target in zip(_files(folder, number % YEAR), _files(folder, number), strict=True):
            if source.exists() and not target.exists():
                part = target.with_name(f".{target.name}.part")
                part.write_text(moved(source.read_text(encoding="utf-8"), number // YEAR), encoding="utf-8")
                os.replace(part, target)
    return folder


def moved(text: str, years: int) -> str:
    """The rows of a file, so many years later."""
    return _YEARS.sub(lambda year: str(int(year[0]) + years), text)


def deliver(folder: Path, to: Path, first: int, last: int) -> None:
    """Lets the files of the days from ``first`` to ``last`` (counted from 0, exclusive) arrive in another folder, with
    the first day those that are no day's."""
    if first == 0:
        for place in folder.iterdir():
            if place.name not in BY_DAY:
                shutil.copytree(place, to / place.name)
    for number in range(first, last):
        for file in _files(folder, number):
            target = to / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                os.link(file, target)


def _files(folder: Path, number: int) -> list[Path]:
    """The files of a day, whether they are there or not; no year is a leap year here."""
    day = FIRST + timedelta(days=number % YEAR)
    named = f"{FIRST.year + number // YEAR}-{day:%m-%d}"
    return [folder / "flights" / f"flights_{named}.csv", folder / "weather" / f"weather_{named}.json"]
