"""What raw files are: their format and how it is written, found in the first bytes of each."""

from __future__ import annotations

import bz2
import codecs
import glob
import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeloop.errors import DataError
from lakeloop.onboarding.dialect import HEAD, Dialect, dialect

MOST_SERIES = 1000
# A date in a file's name, and names that count the parts of one table.
_DATED = r"(?:19|20)[0-9]{2}[-_.T0-9]*"
_COUNTED = re.compile(r"(?i)((part|chunk|split|export|data|file|page|batch)[-_ ]?)?([0-9]+|[0-9a-f-]{32,}.*)|part-.*")
# What a file begins with that is no table of ours, and what it then is.
_FOREIGN = {
    b"PK\x03\x04": "an archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"SQLite": "a database",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Files:
    """Raw files of one kind.

    ``path`` is absolute, as `sources.<name>.path` takes it; ``options`` are Spark's own; ``notes`` say what was not
    sure; ``size`` is the number of files. ``series`` is what finds in a file's path the words by which the files' names
    differ, and ``words`` are those; none where they differ by a date or a number alone. ``nanos`` are the Parquet
    columns with times that Spark reads as whole numbers, nanoseconds since 1970.
    """

    path: str
    stem: str
    format: str
    options: dict[str, str | bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    size: int = 1
    series: str = ""
    words: tuple[str, ...] = ()
    nanos: tuple[str, ...] = ()


def look(given: str) -> Files:
    """What the file, the folder or the pattern ``given`` holds; DataError says why it cannot be taken."""
    path, stem, files = _found(given)
    heads = [(file, _head(file)) for file in files[:20]]
    heads = [(file, head) for file, head in heads if head]
    if not heads:
        raise DataError(f"{given}: all files are empty.")
    for file, head in heads:
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise DataError(f"{file} is {what}: bring the table into CSV, JSON or Parquet.")
    if any(head.startswith(b"PAR1") for _, head in heads):
        there = next(file for file, head in heads if head.startswith(b"PAR1"))
        return Files(path, stem, "parquet", size=len(files), nanos=_nanos(there), **_series(files))
    notes: list[str] = []
    encoding = _encoding_of([head for _, head in heads])
    texts = [(file, _decoded(head, encoding)) for file, head in heads]
    options: dict[str, str | bool] = {}
    if encoding != "UTF-8":
        options["encoding"] = encoding
    if encoding not in ("UTF-8", "UTF-16"):
        # UTF-16 alone is what a mark at the text's beginning says.
        notes.append(f"the text is not UTF-8; read as {encoding}: look at a text with accents")
    one = texts[0][1]
    if one.lstrip()[:1] in ("{", "["):
        if encoding.startswith("UTF-16") or not _is_json_lines(one):
            options["multiLine"] = True
        return Files(path, stem, "json", options, notes, len(files), **_series(files))
    dialects = [(file, dialect(text)) for file, text in texts]
    kind = dialects[0][1]
    _all_alike(dialects)
    if not kind.header:
        notes.append("the first row is no header: columns are called by their place; give them names of their own")
    return Files(path, stem, "csv", {**options, **_csv_options(kind, encoding)}, notes, len(files), **_series(files))


def _csv_options(kind: Dialect, encoding: str) -> dict[str, str | bool]:
    """The options of Spark's CSV reader that are not its defaults here (a comma, quotes, a header)."""
    options: dict[str, str | bool] = {}
    if kind.delimiter != ",":
        options["sep"] = kind.delimiter
    if kind.quote != '"':
        options["quote"] = kind.quote
    if kind.escaped:
        options["escape"] = kind.quote
    if not kind.header:
        options["header"] = False
    if kind.lines or encoding.startswith("UTF-16"):
        options["multiLine"] = True
    if kind.padded:
        options |= {"ignoreLeadingWhiteSpace": True, "ignoreTrailingWhiteSpace": True}
    return options


def _all_alike(dialects: Sequence[tuple[Path, Dialect]]) -> None:
    """DataError where two of the files have different columns: they are two sources."""
    file, kind = dialects[0]
    for other, its in dialects[1:]:
        same = kind.first == its.first if kind.header else len(kind.first) == len(its.first)
        if not same:
            raise DataError(
                f"{file.name} and {other.name} have different columns, so they are two sources: name one of them, or a "
                f"pattern such as {file.parent}/{file.stem[:4]}*{file.suffix}, with --from."
            )


def _found(given: str) -> tuple[str, str, list[Path]]:
    """The absolute path or pattern, a name for what is there, and its files in order; DataError where there is none."""
    if "://" in given:
        raise DataError(f"{given}: init looks at files on this machine; copy some of them, and name those with --from.")
    path = Path(given).expanduser().absolute()
    if path.is_file():
        return str(path), path.name.split(".")[0], [path]
    if not path.is_dir():
        files = [Path(name) for name in sorted(glob.glob(str(path))) if _is_data(Path(name))]
        if not files:
            raise DataError(f"{given}: there is no such file, no such folder and no file of that pattern.")
        return str(path), path.parent.name, files
    if (path / "_delta_log").is_dir():
        raise DataError(f"{given} is a Delta table; sources are files in CSV, JSON or Parquet.")
    for pattern in ("*", "*/*", "*/*/*"):
        files = [file for file in sorted(path.glob(pattern)) if _is_data(file)]
        if not files:
            continue
        suffix, count = Counter(_suffix(file) for file in files).most_common(1)[0]
        if count == len(files):
            partitioned = any("=" in part for part in files[0].relative_to(path).parts)
            return str(path if pattern == "*" or partitioned else path / pattern), path.name, files
        files = [file for file in files if file.name.endswith(suffix)]
        return str(path / f"{pattern}{suffix}"), path.name, files
    raise DataError(f"{given}: the folder holds no file.")


def _series(files: Sequence[Path]) -> dict[str, Any]:
    """What `Files` says of the words by which the files' names, or their folders', differ."""
    suffix = re.escape(_suffix(files[0])).replace("\\.", "[.]")
    looks = (
        rf"([^/]+)[-_. ]{_DATED}{suffix}$",
        rf"/{_DATED}[-_. ]([^/]+){suffix}$",
        rf"([^/=]+)/[^/]*{_DATED}[^/]*$",
        rf"([^/]+){suffix}$",
    )
    for look in looks:
        found = [re.search(look, file.as_posix()) for file in files]
        words = sorted({match.group(1) for match in found if match})
        counted = any(_COUNTED.fullmatch(word) or re.search(_DATED, word) for word in words)
        if all(found) and 1 < len(words) <= MOST_SERIES and not counted:
            return {"series": look, "words": tuple(words)}
    return {}


def _nanos(file: Path) -> tuple[str, ...]:
    """The Parquet file's columns with times in nanoseconds, a field inside another with a dot."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def visit(names: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [name for inner in kind for name in visit(f"{names}.{inner.name}", inner.type)]
        return [names] if pa.types.is_timestamp(kind) and kind.unit == "ns" else []

    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowException):
        return ()
    return tuple(name for column in schema for name in visit(column.name, column.type))


def _suffix(file: Path) -> str:
    return "".join(file.suffixes[-2:]) if file.suffix in (".gz", ".bz2") else file.suffix


def _is_data(file: Path) -> bool:
    """Whether Spark would read it: files whose names begin with a dot or an underscore are passed over."""
    return file.is_file() and not file.name.startswith((".", "_"))


def _head(file: Path) -> bytes:
    """The first bytes of what the file says, unpacked where Spark would unpack it by its name."""
    try:
        with file.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            if magic.startswith(b"\x1f\x8b"):
                if file.suffix != ".gz":
                    raise DataError(f"{file} is packed with gzip, which Spark sees by the name: add .gz to it.")
                return gzip.GzipFile(fileobj=raw).read(HEAD)
            if magic.startswith(b"BZh") and file.suffix == ".bz2":
                return bz2.BZ2File(raw).read(HEAD)
            return raw.read(HEAD)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error


def _encoding_of(heads: Sequence[bytes]) -> str:
    """The encoding that serves all of them."""
    found = {encoding(head) for head in heads} - {"UTF-8"}
    return sorted(found)[0] if found else "UTF-8"


def encoding(head: bytes) -> str:
    """The name that Spark has for the encoding of a text that begins with ``head``."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    sample = head[:4096]
    if len(sample) > 8 and sample[1::2].count(0) > len(sample) // 4:
        return "UTF-16LE"
    if len(sample) > 8 and sample[::2].count(0) > len(sample) // 4:
        return "UTF-16BE"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "ISO-8859-1"
    return "UTF-8"


def _decoded(head: bytes, name: str) -> str:
    text = codecs.getincrementaldecoder("utf-8-sig" if name == "UTF-8" else name)("replace").decode(head)
    return text.lstrip("\ufeff")


def _is_json_lines(text: str) -> bool:
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return False
