"""What the columns of raw files are: their types, and what stands for a missing value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop.onboarding.names import quoted, silver_names
from lakeloop.onboarding.written import WRITTEN, any_of, date_patterns, tests
from lakeloop.rawcolumns import RAW_NAME

# One word that comes again and again among different numbers stands for none: a survey's "not told". Whole numbers must
# be many, for few of them may be classes.
FEWEST_VALUES, FEWEST_WHOLE, MOST_OF_A_WORD = 5, 20, 0.2
MOST_ROWS, MOST_CELLS, EXAMPLES = 100_000, 5_000_000, 1000
# Texts that tools write for a missing value. The first two are believed in a column of words too.
SURE = ("?", "NA")
MISSING = (*SURE, "N/A", "n/a", "na", "NaN", "nan", "NAN", "NULL", "null", "Null", "None", "none", "-", "--", ".",
           "#N/A", "unknown", "Unknown", "UNKNOWN", "missing", "Missing", "\\N", "(null)", "<NA>")  # fmt: skip
LONG = 40
# An object with at least so many objects in it, and nothing else, has values for names: it is a map.
MAP_SIZE = 5


@dataclass(frozen=True)
class Leaf:
    """A raw column, or a field inside one: its name in the files, what SQL calls it in bronze, its silver name and
    Spark type; ``files`` is what SQL may call it by its name in the files, where that is another; ``nanos`` says that
    it is a time, in nanoseconds since 1970."""

    raw: str
    sql: str
    name: str
    kind: T.DataType
    files: str = ""
    nanos: bool = False

    @property
    def written(self) -> str:
        """What an expression of the configuration calls it: as its reader knows it from the files."""
        return self.files or self.sql

    @property
    def bare(self) -> bool:
        """Whether a bare type in the configuration would find it."""
        return self.sql == quoted(self.name)


@dataclass(frozen=True)
class Seen:
    """What was counted of a column's values in the sample: ``rows`` in all, ``present`` neither null nor blank,
    ``blank``, ``distinct`` among the present, how many satisfy each test of `tests`, how often each text of MISSING
    comes, the commonest value that is no plain number, the mean length, and the commonest ``word``, a value that
    satisfies no test, with its number ``words``."""

    rows: int
    present: int
    blank: int = 0
    distinct: int = 0
    passed: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    odd: str = ""
    length: float = 0.0
    word: str = ""
    words: int = 0


@dataclass(frozen=True)
class Column:
    """A silver column: ``text`` is what stands in `columns`, ``type`` the Spark type that it gives, ``missing`` the
    texts that must be null for it to hold, ``unfit`` how many values are not of the type, ``notes`` what was not
    sure."""

    leaf: Leaf
    type: str
    text: str
    seen: Seen
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unfit: int = 0

    @property
    def name(self) -> str:
        return self.leaf.name

    @property
    def known(self) -> int:
        """Rows of the sample that have a value of the type."""
        return self.seen.present - sum(self.seen.missing.get(text, 0) for text in self.missing) - self.unfit

    @property
    def distinct(self) -> int:
        """Different values in the sample."""
        return self.seen.distinct - len(self.missing)

    @property
    def is_number(self) -> bool:
        return self.type in ("int", "bigint", "double") or self.type.startswith(("decimal", "float", "small", "tiny"))

    @property
    def is_time(self) -> bool:
        return self.type in ("date", "timestamp")

    @property
    def is_whole(self) -> bool:
        return self.type in ("int", "bigint", "smallint", "tinyint")


def leaves(schema: T.StructType, reserved: Sequence[str] = ()) -> tuple[list[Leaf], list[str]]:
    """The columns that a table can be made of, fields of structs among them, and the names of those that cannot."""
    found: list[tuple[str, str, T.DataType]] = []
    left: list[str] = []
    outers = [field for field in schema if field.name not in reserved]
    told = [name.lower() for field in outers for name in {field.name, field.metadata.get(RAW_NAME, field.name)}]

    def visit(raw: str, path: tuple[str, ...], kind: T.DataType) -> None:
        if isinstance(kind, T.StructType) and not _is_map(kind):
            for inner in kind:
                visit(f"{raw}.{inner.name}", (*path, inner.name), inner.dataType)
        elif isinstance(kind, (T.StructType, T.ArrayType, T.MapType, T.BinaryType)):
            left.append(raw)
        else:
            found.append((raw, quoted(*path), kind))

    for outer in outers:
        visit(outer.metadata.get(RAW_NAME, outer.name), (outer.name,), outer.dataType)
    names = silver_names([raw for raw, _, _ in found], reserved)
    files = {
        quoted(field.name): quoted(raw)
        for field in outers
        if (raw := field.metadata.get(RAW_NAME, field.name)) != field.name and told.count(raw.lower()) == 1
    }
    return [
        Leaf(raw, sql, name, kind, files.get(sql, "")) for (raw, sql, kind), name in zip(found, names, strict=True)
    ], left


def _is_map(kind: T.StructType) -> bool:
    return len(kind) >= MAP_SIZE and all(isinstance(inner.dataType, T.StructType) for inner in kind)


def sample(rows: DataFrame, width: int) -> DataFrame:
    """At most as many rows as can be looked at, however wide they are."""
    return rows.limit(max(1000, min(MOST_ROWS, MOST_CELLS // max(width, 1))))


def seen(rows: DataFrame, found: Sequence[Leaf]) -> list[Seen]:
    """What the values of each leaf are, over all of ``rows``; two actions, however many columns."""
    texts = [leaf for leaf in found if isinstance(leaf.kind, T.StringType)]
    examples = rows.select(*[F.trim(F.expr(leaf.sql)).alias(f"c{at}") for at, leaf in enumerate(texts)])
    taken = examples.limit(EXAMPLES).collect() if texts else []
    patterns: dict[str, None] = {}
    for at in range(len(texts)):
        values = [row[at] for row in taken if row[at] and row[at] not in MISSING]
        patterns |= dict.fromkeys(date_patterns(values))
    asked = tests(list(patterns))
    cells = rows.select(
        F.explode(
            F.array(
                *[
                    F.struct(F.lit(at).alias("at"), F.trim(F.expr(leaf.sql).cast("string")).alias("text"))
                    for at, leaf in enumerate(found)
                ]
            )
        ).alias("cell")
    ).select("cell.*")
    values = cells.groupBy("at", "text").agg(F.count(F.lit(1)).alias("n"))
    given = F.col("text").isNotNull() & (F.col("text") != "")
    counted = values.groupBy("at").agg(
        F.sum("n").alias("rows"),
        _sum(given, "present"),
        _sum(F.col("text") == "", "blank"),
        F.sum(given.cast("int")).alias("distinct"),
        F.sum(F.when(given, F.length("text") * F.col("n"))).alias("length"),
        F.collect_list(F.when(F.col("text").isin(*MISSING), F.struct("text", "n"))).alias("missing"),
        F.max_by("text", F.when(given & ~asked["number"] & ~F.col("text").isin(*MISSING), F.col("n"))).alias("odd"),
        F.max(F.when(given & ~any_of(asked) & ~F.col("text").isin(*MISSING), F.struct("n", "text"))).alias("word"),
        *[_sum(given & test, f"test_{at}") for at, test in enumerate(asked.values())],
    )
    by_leaf = {row["at"]: row for row in counted.collect()}
    result = []
    for at in range(len(found)):
        row = by_leaf.get(at)
        if row is None:
            result.append(Seen(0, 0))
            continue
        passed = {name: row[f"test_{number}"] or 0 for number, name in enumerate(asked)}
        missing = {item["text"]: item["n"] for item in row["missing"]}
        length = (row["length"] or 0) / max(row["present"] or 0, 1)
        result.append(
            Seen(row["rows"], row["present"] or 0, row["blank"] or 0, row["distinct"] or 0, passed, missing,
                 row["odd"] or "", length, *((row["word"]["text"], row["word"]["n"]) if row["word"] else ()))
        )  # fmt: skip
    return result


def _sum(condition: SparkColumn, name: str) -> SparkColumn:
    return F.sum(F.when(condition, F.col("n")).otherwise(F.lit(0))).alias(name)


def understood(found: Sequence[Leaf], counts: Sequence[Seen]) -> tuple[list[Column], list[str]]:
    """The silver columns, and the texts that stand for a missing value in the whole source.

    A text that is missing among numbers but a word in another column is not among those: there, an expression makes
    it null.
    """
    columns = [_column(leaf, its) for leaf, its in zip(found, counts, strict=True)]
    words = [column for column in columns if column.type == "string"]
    spoken = {text for column in words for text in column.seen.missing if text not in column.missing}
    shared = {text for column in columns for text in column.missing} - spoken
    result = []
    for column in columns:
        apart = set(column.missing) - shared
        if apart and column.text == column.type:
            note = f"{_list(sorted(apart))} is missing here, but a word in another column"
            column = replace(
                column,
                text=f"try_cast({column.leaf.written} as {column.type})",
                notes=(*column.notes, note),
            )
        result.append(column)
    return result, sorted(shared)


def _column(leaf: Leaf, its: Seen) -> Column:
    if leaf.nanos and isinstance(leaf.kind, T.LongType):
        return Column(leaf, "timestamp", f"timestamp_micros({leaf.written} div 1000)", its)
    if not isinstance(leaf.kind, T.StringType):
        type_ = leaf.kind.simpleString().replace("timestamp_ntz", "timestamp").replace("void", "string")
        return Column(leaf, type_, _text(leaf, type_), its, (), () if its.present else ("no value at all",))
    if not its.present:
        return Column(leaf, "string", _text(leaf, "string"), its, (), ("no value at all",))
    candidates = tuple(text for text in its.missing)
    known = its.present - sum(its.missing.values())
    notes: list[str] = []
    type_, text, of = _kind(leaf, its, known, notes)
    odd = its.odd
    if type_ == "string" and 1 < its.words <= MOST_OF_A_WORD * known:
        more: list[str] = []
        without, its_text, fit = _kind(leaf, its, known - its.words, more)
        fewest = FEWEST_VALUES if without == "double" else FEWEST_WHOLE
        if without not in ("string", "boolean") and its.distinct - 1 >= fewest:
            its_text = f"try_cast({leaf.written} as {without})" if its_text == without else its_text
            type_, text, of, odd, notes = without, its_text, fit, its.word, more
    missing = candidates if type_ != "string" else tuple(text for text in candidates if text in SURE)
    if type_ == "string" and not known:
        missing = candidates
    note = [f"{its.missing[text]:,} of {its.rows:,} values are '{text}', taken as missing" for text in missing]
    if its.blank and type_ != "string":
        note.append(f"{its.blank:,} of {its.rows:,} values are blank: they become null")
    if type_ != "string" and of < known:
        becomes = "their rows go to quarantine" if text == type_ else "they become null"
        note.append(f"{known - of:,} of {its.rows:,} values are not ('{odd}'): {becomes}")
    return Column(leaf, type_, text, its, missing, (*note, *notes), known - of if type_ != "string" else 0)


def _kind(leaf: Leaf, its: Seen, known: int, notes: list[str]) -> tuple[str, str, int]:
    """The type, what stands in the configuration, and how many values are of it. A column of texts in which at most
    one value in a hundred is not of a type has that type."""
    passed, enough = its.passed, 0.99 * known if known else 1
    if passed.get("code", 0) and passed["number"] >= enough:
        notes.append("numbers with leading zeros: a code, kept as text")
        return "string", _text(leaf, "string"), known
    written = [name for name in WRITTEN if passed.get(name, 0) >= enough]
    plain = passed.get("number", 0)
    patterns = [name for name in passed if "yy" in name and passed[name] >= enough]
    if patterns and not (patterns == ["yyyyMMdd"] and not re.search("date|day|_dt|^dt|time", leaf.name.lower())):
        return _dated(leaf, its, patterns, notes)
    for name in ("int", "bigint"):
        if plain == passed.get(name, 0) >= enough:
            return name, _text(leaf, name), plain
    for type_, of in (("double", plain), ("boolean", passed.get("boolean", 0)), ("date", passed.get("date", 0)),
                      ("timestamp", passed.get("timestamp", 0) + passed.get("date", 0))):  # fmt: skip
        if of >= enough:
            return type_, _text(leaf, type_), of
    if written:
        # 1,234 fits both ways of writing; thousands are believed where every comma parts three digits.
        name = written[0]
        if name != "decimal comma":
            both = name == "thousands" and len(written) > 1
            notes.append("written with signs such as $, % or separators" + (", 1,234 as 1234" if both else ""))
        return "double", WRITTEN[name][1].format(leaf.written), passed[name]
    return "string", _text(leaf, "string"), known


def _dated(leaf: Leaf, its: Seen, patterns: Sequence[str], notes: list[str]) -> tuple[str, str, int]:
    best = max(patterns, key=lambda pattern: its.passed[pattern])
    others = [pattern for pattern in patterns if pattern != best and its.passed[pattern] == its.passed[best]]
    if others:
        notes.append(f"could as well be {others[0]}")
    call = f"try_to_timestamp({leaf.written}, {sql_text(best)})"
    if ":mm" in best:
        return "timestamp", call, its.passed[best]
    return "date", f"cast({call} as date)", its.passed[best]


def _text(leaf: Leaf, type_: str) -> str:
    """A bare type where the silver column is the raw one, else an expression over it."""
    if leaf.bare:
        return type_
    return leaf.written if type_ == leaf.kind.simpleString() else f"try_cast({leaf.written} as {type_})"


def sql_text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _list(texts: Sequence[str]) -> str:
    return " and ".join(f"'{text}'" for text in texts)
