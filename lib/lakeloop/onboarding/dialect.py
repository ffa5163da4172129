"""How a CSV file is written: its delimiter, its quotes, and whether its first row names the columns."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lakeloop.errors import DataError

# So many bytes of a file are looked at, and so many lines of them.
HEAD = 1 << 20
MOST_LINES = 500
DELIMITERS = (",", ";", "\t", "|")
NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$")
_YEAR = re.compile(r"^(18|19|20)\d{2}$")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; ``header`` is its first row."""

    delimiter: str
    quote: str
    header: bool
    escaped: bool
    lines: bool
    padded: bool
    first: tuple[str, ...]


def dialect(text: str) -> Dialect:
    """How the CSV that begins with ``text`` is written."""
    text = text if len(text) < HEAD // 2 else text[: text.rfind("\n") + 1]
    quote = "'" if re.search(r"(^|[,;\t|])'[^'\n]*'($|[,;\t|])", text, re.MULTILINE) and '"' not in text else '"'
    delimiter = max(DELIMITERS, key=lambda sign: _fitness(text, sign, quote))
    if _fitness(text, delimiter, quote) == 0:
        if re.match(r"'[^'\n]*'( '[^'\n]*')+\r?\n", text):
            quote = "'"
        delimiter = " " if _is_parted_by_spaces(text, quote) else ","
    rows = _rows(text, delimiter, quote)
    if not rows:
        raise DataError("the file has no line that could be read.")
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    header = has_header(rows[0], body)
    # Values are trimmed in silver; a quote after a space, or a name with one, must be mended when the file is read.
    padded = f"{delimiter} {quote}" in text or (header and f"{delimiter} " in text.lstrip().split("\n", 1)[0])
    return Dialect(
        delimiter,
        quote,
        header,
        escaped=re.search(rf"[^{delimiter}\n]{quote}{quote}[^{delimiter}\n]", text.replace("\r", "")) is not None,
        lines=any("\n" in cell for row in rows for cell in row),
        padded=padded,
        first=tuple(cell.strip() for cell in rows[0]),
    )


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    """The first rows that are not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == MOST_LINES:
                break
    except csv.Error:
        pass
    return rows


def _fitness(text: str, delimiter: str, quote: str) -> float:
    """How well a delimiter explains the text: the share of rows as wide as most, times how wide; 0 where it parts
    nothing."""
    widths = Counter(len(row) for row in _rows(text, delimiter, quote))
    if not widths:
        return 0
    width, count = widths.most_common(1)[0]
    share = count / sum(widths.values())
    return 0 if width < 2 else share**4 * min(width, 10) + width / 1000


def _is_parted_by_spaces(text: str, quote: str) -> bool:
    """Whether single spaces part values, and not words: all rows are equally wide, and some column is of numbers."""
    rows = _rows(text, " ", quote)
    if len(rows) < 2 or re.search(r" ( |\r?$)", text, re.MULTILINE) or {len(row) for row in rows} != {len(rows[0])}:
        return False
    return len(rows[0]) > 1 and any(all(map(_is_value, column)) for column in zip(*rows[1:], strict=True))


def has_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a CSV's first row names the columns: it is unlike the values below it."""
    cells = [cell.strip() for cell in first]
    if len({cell for cell in cells if cell}) < len([cell for cell in cells if cell]) or not any(cells):
        return False
    if not body:
        return not any(_is_value(cell) for cell in cells)
    # Years in a row, as in a table with a column a year, are names.
    years = [int(cell) for cell in cells if _YEAR.match(cell)]
    named = len(years) > 1 and years == sorted(years)
    votes = 0
    for cell, column in zip(cells, zip(*body, strict=True), strict=True):
        below = [value.strip() for value in column if value.strip()]
        if below and sum(map(_is_value, below)) >= 0.8 * len(below):
            year = named and _YEAR.match(cell) and not any(map(_YEAR.match, below))
            votes += -1 if _is_value(cell) and not year else 1
        elif cell and cell in below:
            votes -= 1
    return votes > 0 or (votes == 0 and not any(_is_value(cell) for cell in cells))


def _is_value(text: str) -> bool:
    return bool(NUMBER.match(text) or _DATE.match(text))
