"""Raw files as rows: which columns files have, whatever their format and headers, and which of bronze's those are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.config import patterns
from lakeloop.config.sources import Source
from lakeloop.errors import DataError
from lakeloop.rawcolumns import CORRUPT, FILE, MODIFIED, RAW_NAME, RawColumn, assign, merged, quoted, raw_name

# No text has these, so a header with one is not read as what it is.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# What Spark takes for a pattern; file names are names, whatever they look like.
_OF_PATTERNS = re.compile(r"[\\{}\[\]*?]")


@dataclass(frozen=True)
class Group:
    """Files with the same columns. ``rows`` has the columns as given, `_corrupt_record`, `_source_file` (as text, not
    escaped) and `_source_modified_at`."""

    rows: DataFrame
    columns: Sequence[RawColumn]


class NoFields(DataError):
    """JSON files without a field: all of their lines are broken."""


@dataclass(frozen=True)
class RawFile:
    """A file as a listing has it."""

    path: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class RawFiles:
    """Some files of a source, at least one, and none of them without a byte. ``base`` is the folder, where there is
    one, whose sub-folders (day=2024-05-01) are columns."""

    spark: SparkSession
    source: Source
    files: Sequence[RawFile]
    base: str | None = None

    @property
    def paths(self) -> list[str]:
        """The files' paths, in the files' order."""
        return [file.path for file in self.files]

    @property
    def largest(self) -> str:
        """The path of the largest file."""
        return max(self.files, key=lambda file: file.bytes).path

    def only(self, paths: Collection[str]) -> RawFiles:
        """Those of the files that have these paths."""
        return replace(self, files=[file for file in self.files if file.path in paths])

    def halves(self) -> tuple[RawFiles, RawFiles]:
        """The files in two parts."""
        middle = len(self.files) // 2
        return replace(self, files=self.files[:middle]), replace(self, files=self.files[middle:])

    def groups(self, known: Sequence[T.StructField], trusting: bool = False, infer: bool = True) -> list[Group]:
        """The files' rows, files with the same columns together. ``known`` are the raw columns of bronze.

        ``trusting`` takes one CSV file's header for all; where one has another, computing the rows
        fails. Without ``infer`` fields of JSON that bronze does not have are not looked for.
        """
        if self.source.format == "csv":
            return list(self._csv(known, trusting))
        if self.source.format == "json":
            return [self._json(known, infer)]
        if self.source.format == "text":
            return [self._text()]
        return list(self._parquet(known))

    def _csv(self, known: Sequence[T.StructField], trusting: bool) -> Iterator[Group]:
        if not has_header(self.source):
            names = self.source.names or [name for name in map(raw_name, known) if name not in self._folders()]
            if not names:
                names = [f"_c{position}" for position in range(len(self._header(self.largest)))]
            yield self._csv_group(self.paths, names, known, {"header": False})
            return
        if trusting or len(self.paths) == 1:
            header = self._header(self.largest)
            unlike = {name.lower() for name in [*header, CORRUPT] if name}
            if len(self.paths) == 1:
                if header:
                    yield self._csv_group(self.paths, header, known, {"header": True})
                return
            if len(unlike) == len(header) + 1:
                yield self._csv_group(self.paths, header, known, {"header": True, "enforceschema": False})
                return
        for paths in self._by_header():
            group = self._csv_group(paths, self._header(paths[0]), known, {"header": True})
            known = with_columns(known, group)
            yield group

    def _csv_group(
        self, paths: Sequence[str], header: Sequence[str], known: Sequence[T.StructField], options: dict[str, Any]
    ) -> Group:
        """Files with one header. Columns are found by their place, but where Spark is to compare the headers' names."""
        compared = options.get("enforceschema") is False
        given = list(header) if compared else [f"_{position}" for position in range(len(header))]
        fields = [T.StructField(name, T.StringType()) for name in [*given, CORRUPT]]
        rows = self._load(paths, T.StructType(fields), **options)
        raw = [name.strip() or f"_c{position}" for position, name in enumerate(header)]
        named = assign([T.StructField(name, T.StringType()) for name in raw], known)
        columns = [RawColumn(name, field) for name, field in zip(given, named, strict=True)]
        return self._group(rows, columns, known)

    def _folders(self) -> list[str]:
        """The columns that the names of folders give: day of …/day=2024-05-01/…"""
        return re.findall(r"([^/=]+)=[^/]*/", self.largest) if self.base is not None else []

    def _header(self, path: str) -> list[str]:
        """The first row of a CSV file, as texts."""
        left_out = ("nullvalue", "emptyvalue", "inferschema", "header")
        options = {key: value for key, value in self._options().items() if key not in left_out}
        row = self.spark.read.format("csv").options(**options, header=False).load(_literally([path])).first()
        names = ["" if value is None else value for value in row] if row is not None else []
        if has_header(self.source) and any(_NOT_TEXT.search(name) for name in names):
            raise DataError(
                "the header has characters that no text has: the file is no CSV file, or it has another encoding or "
                "separator than options.encoding and options.sep say."
            )
        return names

    def _by_header(self) -> list[list[str]]:
        """The files with the same header together; one pass, a row a file.

        Read as one column, each line of several is `corrupt` and keeps its text: the header too, for none is expected.
        """
        schema = T.StructType([T.StructField(name, T.StringType()) for name in ("_0", CORRUPT)])
        lines = self._load(self.paths, schema, header=False, mode="PERMISSIVE").select(
            F.col("_metadata.file_path").alias("file"),
            F.col("_metadata.file_block_start").alias("start"),
            F.monotonically_increasing_id().alias("number"),
            F.coalesce(CORRUPT, "_0").alias("text"),
        )
        first = lines.filter("start = 0").groupBy("file").agg(F.min_by("text", "number").alias("header"))
        files: dict[str, list[str]] = {}
        for row in first.orderBy("file").collect():
            files.setdefault(row["header"], []).append(unquote(row["file"]))
        return sorted(files.values(), key=lambda paths: (-len(paths), paths))

    def _json(self, known: Sequence[T.StructField], infer: bool) -> Group:
        """Fields are found by name. Where names differ in case alone Spark cannot tell them apart: DataError."""
        there = [T.StructField(raw_name(field), field.dataType) for field in known]
        found = self._fields() or there[:1] if infer or not known else there
        if not found:
            raise NoFields("no line of the files is a JSON object; look at options.multiLine.")
        columns = [
            RawColumn(
                given.name, T.StructField(field.name, merged(field.dataType, given.dataType), True, field.metadata)
            )
            for given, field in zip(found, assign(found, known), strict=True)
        ]
        fields = [T.StructField(column.given, column.field.dataType) for column in columns]
        schema = T.StructType([*fields, T.StructField(CORRUPT, T.StringType())])
        return self._group(self._load(self.paths, schema), columns, known)

    def _fields(self) -> list[T.StructField]:
        """The fields of JSON files, by one pass over them; all values are texts."""
        reader = self.spark.read.format("json").options(**self._options(), primitivesasstring=True)
        try:
            return [field for field in reader.load(_literally(self.paths)).schema if field.name != CORRUPT]
        except AnalysisException as error:
            if error.getCondition() != "COLUMN_ALREADY_EXISTS":
                raise
            name = (error.getMessageParameters() or {}).get("columnName", "")
            raise DataError(
                f"two JSON fields have the same name but for case ({name}), which Spark cannot tell apart; rename one."
            ) from error

    def _text(self) -> Group:
        """Each line: what the pattern's groups find in it; a line that does not match whole is `corrupt`."""
        rows = self._load(self.paths, None)
        line = F.col("value")
        encoding = option(self.source, "encoding")
        if encoding and str(encoding).lower().replace("-", "") != "utf8":
            line = F.decode(line.cast("binary"), charset(str(encoding)))
        if self.source.pattern is None:
            field = T.StructField("value", T.StringType(), metadata={RAW_NAME: "value"})
            whole = rows.select(line.alias("value"), *map(F.expr, (f"cast(null AS string) AS {CORRUPT}", *_place())))
            return Group(whole, [RawColumn("value", field)])
        pattern, groups = patterns.numbered(self.source.pattern)
        matches = line.rlike(pattern)
        values = [
            F.when(matches, F.regexp_extract(line, pattern, number)).alias(name) for name, number in groups.items()
        ]
        columns = [RawColumn(name, T.StructField(name, T.StringType(), metadata={RAW_NAME: name})) for name in groups]
        corrupt = F.when(~matches, line).alias(CORRUPT)
        return Group(rows.select(*values, corrupt, *map(F.expr, _place())), columns)

    def _parquet(self, known: Sequence[T.StructField]) -> Iterator[Group]:
        """Files whose types go together are one group, a column that only some have is null in the others."""
        for paths, schema in self._by_schema():
            named = assign(schema.fields, known)
            columns = [RawColumn(given.name, field) for given, field in zip(schema.fields, named, strict=True)]
            group = self._group(self._load(paths, schema), columns, known)
            known = with_columns(known, group)
            yield group

    def _by_schema(self) -> list[tuple[list[str], T.StructType]]:
        reader = self.spark.read.format("parquet").options(**self._options())
        try:
            return [(list(self.paths), reader.option("mergeSchema", True).load(_literally(self.paths)).schema)]
        except Exception as error:
            if "MERGE_SCHEMA" not in str(error) and "Failed merging schema" not in str(error):
                raise
        files: dict[str, list[str]] = {}
        for path in self.paths:
            files.setdefault(reader.load(_literally([path])).schema.json(), []).append(path)
        ordered = sorted(files.items(), key=lambda item: (-len(item[1]), item[1]))
        return [(paths, reader.load(_literally(paths[:1])).schema) for _, paths in ordered]

    def _load(self, paths: Sequence[str], schema: T.StructType | None, **options: Any) -> DataFrame:
        reader: DataFrameReader = self.spark.read.format(self.source.format)
        reader = reader.options(**{**self._options(), "columnnameofcorruptrecord": CORRUPT, **options})
        if self.base is not None:
            reader = reader.option("basePath", self.base)
        return (reader if schema is None else reader.schema(schema)).load(_literally(paths))

    def _options(self) -> dict[str, Any]:
        """The source's options, their names in lower case, and what Spark would not do by itself."""
        options: dict[str, Any] = {key.lower(): value for key, value in self.source.options.items()}
        if self.source.format == "text":
            # Its lines are decoded here, see `_text`.
            options.pop("encoding", None)
        if self.source.format in ("csv", "json") and ("encoding" in options or "charset" in options):
            name = charset(str(options.pop("charset", "") or options["encoding"]))
            # Spark looks for the ends of lines byte by byte, but where it is told to take a file whole.
            whole = {"multiline": True} if name.lower().startswith(("utf-16", "utf-32")) else {}
            return {**whole, **options, "encoding": name}
        return options

    def _group(self, rows: DataFrame, columns: Sequence[RawColumn], known: Sequence[T.StructField]) -> Group:
        """With the folders' columns (day=2024-05-01), which Spark puts behind those of the files."""
        given = {column.given for column in columns}
        folders = [name for name in rows.columns if name not in given and name != CORRUPT] if self.base else []
        named = assign([T.StructField(name, T.StringType()) for name in folders], known)
        corrupt = CORRUPT if CORRUPT in rows.columns else f"cast(null AS string) AS {CORRUPT}"
        taken = [quoted(column.given) for column in columns]
        paths = [f"cast({quoted(name)} AS string) AS {quoted(name)}" for name in folders]
        rows = rows.selectExpr(*taken, *paths, corrupt, *_place())
        return Group(rows, [*columns, *map(RawColumn, folders, named)])


def _literally(paths: Sequence[str]) -> list[str]:
    """Paths as Spark is to be given them: each is that of one file."""
    return [_OF_PATTERNS.sub(r"\\\g<0>", path) for path in paths]


def with_columns(known: Sequence[T.StructField], group: Group) -> list[T.StructField]:
    """The known columns and those of the group."""
    names = {field.name for field in known}
    return [*known, *[column.field for column in group.columns if column.field.name not in names]]


def _place() -> list[str]:
    """SQL for where a row came from. Spark escapes file names as URIs do; almost none needs that, and a plus is no
    space."""
    path = "_metadata.file_path"
    plain = f"url_decode(replace({path}, '+', '%2B'))"
    return [
        f"CASE WHEN contains({path}, '%') THEN {plain} ELSE {path} END AS {FILE}",
        f"_metadata.file_modification_time AS {MODIFIED}",
    ]


def has_header(source: Source) -> bool:
    """Whether a CSV source's files begin with their columns' names."""
    given = option(source, "header")
    return str(not source.names if given is None else given).lower() == "true"


def option(source: Source, name: str) -> str | int | float | bool | None:
    """One of Spark's options, whose names have no case."""
    return next((value for key, value in source.options.items() if key.lower() == name.lower()), None)


def charset(name: str) -> str:
    """The name that Spark knows an encoding by: Python's and everyone's `latin-1` is `ISO-8859-1`."""
    return "ISO-8859-1" if name.lower().replace("_", "-") in ("latin-1", "latin1", "iso8859-1", "l1") else name
