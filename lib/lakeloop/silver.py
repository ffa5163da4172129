"""Silver: typed rows, one a key, that keep their promises; the others go to quarantine with every reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from lakeloop.config import Settings
from lakeloop.config.sources import BARE_TYPE, ROW_HASH, ROW_NUMBER, Source
from lakeloop.derivation import Appended, ByKey, Derivation, Rows
from lakeloop.derive import Engine
from lakeloop.errors import DataError
from lakeloop.literals import is_in, literal
from lakeloop.quality import FAILED, Expectations, counts
from lakeloop.rawcolumns import CORRUPT, FILE, INGESTED, METADATA, MODIFIED, RESCUED, quoted, raw_fields, raw_name
from lakeloop.session import interprets
from lakeloop.tables import Table

RAW = "_raw_"
# Before the name of a column that is cast: whether its value could be, or there was none.
FITS = "_fits_"
# How a value is written as JSON where equal texts are to mean equal values.
EXACT_JSON = r"map('ignoreNullFields', 'true', 'timestampFormat', 'yyyy-MM-dd\'T\'HH:mm:ss.SSSSSSXXX')"
# How `_row_hash` is made; a table with other hashes is made anew.
HASHED = "xxhash64 of names and values"
_STAYS = "_lakeloop_stays"
WHOLE = ("tinyint", "smallint", "int", "integer", "bigint", "long")


def derivations(settings: Settings, name: str) -> list[Derivation]:
    """quarantine.<name> and silver.<name>, both from bronze.<name>.

    silver: the configured columns, then `_source_file`, `_source_modified_at`, `_ingested_at` and `_row_hash` bigint,
    which settles ties between versions of a key; without a key also `_row_number` int, see `latest`. quarantine: the
    raw columns of bronze and `_failed_rules`.
    """
    source = settings.pipeline.sources[name]
    bronze = Table("bronze", name)
    return [
        Derivation(
            Table("quarantine", name),
            (bronze,),
            _over(bronze, quarantined, source),
            Appended(),
            settings.fingerprint(
                "quarantine", source.missing, source.missing_in, source.columns, source.key, source.expect_plain()
            ),
        ),
        Derivation(
            Table("silver", name),
            (bronze,),
            _over(bronze, latest, source),
            ByKey(tuple(source.identity()), tuple(source.order())),
            settings.fingerprint("silver", HASHED, *source.meaning()),
        ),
    ]


def _over(
    table: Table, function: Callable[[DataFrame, Source], DataFrame], source: Source
) -> Callable[[Rows], DataFrame]:
    return lambda rows: function(rows[table], source)


def typed(bronze: DataFrame, source: Source) -> DataFrame:
    """Bronze rows with the silver columns beside the raw ones (`_raw_<column>`), whether a cast that may fail did not
    (`_fits_<column>` boolean), and `_row_hash`.

    Texts are trimmed and those that stand for a missing value are null; bare types are safe casts, all made before
    the expressions; an expression sees the casts and the expressions above it. Where the files' name of a column is
    not bronze's, it has both.
    """
    raw = raw_fields(bronze.schema)
    taken = {field.name.lower() for field in raw} | {*METADATA, RESCUED}
    renamed = [field for field in raw if raw_name(field).lower() not in taken]
    hashed, present = row_hash(raw), {field.name: _present(field, source) for field in raw}
    if not interprets(bronze.sparkSession):
        # All that a stage does with a row is one Java method, and Java compiles none of more than 8,000 bytes: that of
        # some fifteen columns is longer. What is named twice Spark computes once, and in a method of its own.
        hashed = f"{hashed} | {hashed}"
        made = {column: value for column, value in present.items() if value != quoted(column)}
        present |= {column: f"coalesce({value}, {value})" for column, value in made.items()}
    rows = bronze.selectExpr(
        *[f"{quoted(field.name)} AS {quoted(RAW + field.name)}" for field in raw],
        *_metadata(bronze),
        f"{hashed} AS {ROW_HASH}",
        *[f"{present[field.name]} AS {quoted(field.name)}" for field in raw],
        *[f"{present[field.name]} AS {quoted(raw_name(field))}" for field in renamed],
    )
    casts = {column: _cast(column, type_) for column, type_ in source.columns.items() if BARE_TYPE.match(type_)}
    # Told here, from the value that is cast: rows on their way to silver need not carry the raw values along.
    fits = {
        FITS + column: f"{casts[column]} IS NOT NULL OR {quoted(column)} IS NULL" for column in _may_fail(raw, source)
    }
    rows = _with_columns(rows, {**casts, **fits})
    for column in source.columns:
        if column not in casts:
            rows = rows.withColumn(column, _computed(rows, column, source))
    return rows


def _with_columns(rows: DataFrame, made: Mapping[str, str]) -> DataFrame:
    """As DataFrame.withColumns, of SQL texts. What a row is made of is said in texts here, for Spark takes one at once,
    and a Column in a call to Java for each of its parts: of twenty columns some thousand."""
    left = {column.lower(): (column, text) for column, text in made.items()}
    texts = []
    for name in rows.columns:
        column, text = left.pop(name.lower(), (name, quoted(name)))
        texts.append(f"{text} AS {quoted(column)}")
    return rows.selectExpr(*texts, *[f"{text} AS {quoted(column)}" for column, text in left.values()])


def _computed(rows: DataFrame, column: str, source: Source) -> Column:
    """A column that is no cast: an expression, or what a Python function makes of the rows."""
    function = source.function(column)
    if function is None:
        return F.expr(source.columns[column])
    found = function(rows)
    if not isinstance(found, Column):
        what = f"{function.name}, which returns a {type(found).__name__}"
        raise function.wrong(what, "a function that returns a pyspark.sql.Column", "such as F.col('a') + 1")
    return found


def _cast(column: str, type_: str) -> str:
    """SQL for a safe cast; a whole number may be written as 59.0, as many tools do where a column has missing ones."""
    given = quoted(column)
    cast = f"try_cast({given} AS {type_})"
    if type_.lower() not in WHOLE:
        return cast
    number = f"try_cast(cast({given} AS string) AS double)"
    return f"coalesce({cast}, CASE WHEN {number} = floor({number}) THEN try_cast({number} AS {type_}) END)"


def _present(field: T.StructField, source: Source) -> str:
    """SQL for a raw column, null where it has a value that stands for a missing one."""
    column = quoted(field.name)
    spelt = [text for key, texts in source.missing_in.items() if key in (field.name, raw_name(field)) for text in texts]
    missing = list(dict.fromkeys([*source.missing, *spelt]))
    if isinstance(field.dataType, T.StringType):
        return f"CASE WHEN NOT {is_in(f'trim({column})', ['', *missing])} THEN trim({column}) END"
    if not missing or not isinstance(field.dataType, T.NumericType):
        return column
    values = [f"try_cast({literal(text)} AS {field.dataType.simpleString()})" for text in missing]
    return f"CASE WHEN NOT coalesce({column} IN ({', '.join(values)}), false) THEN {column} END"


def _may_fail(raw: Sequence[T.StructField], source: Source) -> dict[str, str]:
    """The raw columns whose cast to a bare type may fail, and the type's name. A text is always one."""
    types = {field.name: source.columns.get(field.name, "") for field in raw}
    texts = {field.name for field in raw if isinstance(field.dataType, T.StringType)}
    return {
        name: type_.split("(")[0].lower()
        for name, type_ in types.items()
        if BARE_TYPE.match(type_) and not (name in texts and type_.lower() == "string")
    }


def _metadata(bronze: DataFrame) -> list[str]:
    return [*METADATA, *([RESCUED] if RESCUED in bronze.columns else [])]


def expectations(bronze: DataFrame, source: Source) -> Expectations:
    """The source's rules and those that hold without saying: lines parse, casts succeed, keys are complete."""
    automatic = {"record_parses": f"{CORRUPT} IS NULL"}
    for column, type_ in _may_fail(raw_fields(bronze.schema), source).items():
        automatic[f"{column}_is_{type_}"] = quoted(FITS + column)
    for column in source.key:
        automatic[f"{column}_is_present"] = f"{quoted(column)} IS NOT NULL"
    return Expectations(source.expect, automatic)


def row_hash(raw: Sequence[T.StructField]) -> str:
    """SQL for a hash of the columns ``raw`` of a row, bigint.

    A column that is null leaves no trace in it, name or value: a column that files get later changes no hash of the
    rows before it, and which of two columns is null does make a difference.
    """
    parts = []
    for field in sorted(raw, key=lambda field: field.name):
        value = quoted(field.name)
        # A null leaves the hash of what stands before it as it is.
        parts += [f"CASE WHEN {value} IS NOT NULL THEN {literal(field.name)} END", _hashed(value, field.dataType)]
    return f"xxhash64({', '.join(parts)})"


def _hashed(value: str, type_: T.DataType) -> str:
    """The value as what is hashed: a number means the same in a wider type, a nested value what it holds."""
    if isinstance(type_, (T.StringType, T.BinaryType)):
        return value
    nested = isinstance(type_, (T.StructType, T.ArrayType, T.MapType, T.VariantType))
    return f"to_json({value}, {EXACT_JSON})" if nested else f"cast({value} AS string)"


def judged(bronze: DataFrame, source: Source) -> DataFrame:
    """Typed rows with `_failed_rules`."""
    return expectations(bronze, source).judged(typed(bronze, source))


def latest(bronze: DataFrame, source: Source) -> DataFrame:
    """The silver rows of some bronze rows: those that stay, the greatest by `latest_by` of each key."""
    # Were rows that do not stay left out before they are ranked, Spark would make all casts twice, for the filter too.
    rows = _told(bronze, source) if source.key else kept(bronze, source).withColumn(_STAYS, F.lit(True))
    order = [F.col(column).desc_nulls_last() for column in source.order()]
    newest = Window.partitionBy(*source.identity()).orderBy(F.col(_STAYS).desc(), *order)
    # Were it a rank that is 1, Spark would sort all rows once more, before they are exchanged, to leave out what it
    # can: almost nothing, where most keys have one row.
    rows = rows.withColumn("_has_newer", F.lag(F.lit(True), 1, False).over(newest))
    return rows.filter(f"NOT _has_newer AND {_STAYS}").drop("_has_newer", _STAYS)


def kept(bronze: DataFrame, source: Source) -> DataFrame:
    """The bronze rows that stay, as silver has them, all versions of a key.

    Without a key, rows of equal content are numbered within their file (`_row_number`), and content and number are
    the key: what a later file brings again is the same row, and no other file has to be looked at to know that.
    """
    rows = _told(bronze, source).filter(_STAYS).drop(_STAYS)
    if source.key:
        return rows
    # The windows of `_row_number` and of the newest version can do with this one exchange.
    within = Window.partitionBy(ROW_HASH, FILE).orderBy(ROW_HASH)
    return rows.repartition(ROW_HASH).withColumn(ROW_NUMBER, F.row_number().over(within))


def _told(bronze: DataFrame, source: Source) -> DataFrame:
    """All bronze rows as silver has them, and whether they stay."""
    columns = list(source.columns) or [field.name for field in raw_fields(bronze.schema)]
    broken = expectations(bronze, source).broken("quarantine", "drop")
    rows = typed(bronze, source).withColumn(_STAYS, ~broken)
    return rows.selectExpr(*map(quoted, columns), FILE, MODIFIED, INGESTED, ROW_HASH, _STAYS)


def quarantined(bronze: DataFrame, source: Source) -> DataFrame:
    """The bronze rows that break a rule, with their raw values and the names of all rules that they break."""
    rules = expectations(bronze, source)
    rows = rules.judged(typed(bronze, source).filter(rules.broken("quarantine")))
    raw = [f"{quoted(RAW + field.name)} AS {quoted(field.name)}" for field in raw_fields(bronze.schema)]
    return rows.selectExpr(*raw, *_metadata(bronze), FAILED)


def stop_at_failing_rules(engine: Engine, name: str) -> None:
    """Rules set to ``fail`` end the job before anything is written: DataError. Nothing is read where nothing is new."""
    source = engine.lakehouse.settings.pipeline.sources[name]
    rules = {rule: spec for rule, spec in source.expect.items() if spec.otherwise == "fail"}
    if not rules:
        return
    bronze, silver = Table("bronze", name), Table("silver", name)
    now, known = engine.latest(bronze), engine.lakehouse.last_progress(silver)
    assert now is not None
    consumed = (known[1].get("consumed") or {}).get(str(bronze)) if known else None  # type: ignore[attr-defined]
    if consumed == now.version:
        return
    rows = engine.lakehouse.read(bronze, now.version)
    broken = counts(Expectations(rules, {}).judged(typed(rows, source)))
    if broken:
        what = ", ".join(f"{rule} ({rules[rule].rule}) in {count:,} rows" for rule, count in broken.items())
        raise DataError(
            f"silver.{name} was not written: {what} of bronze.{name} break a rule that is set to 'fail'. Mend the "
            f"files, or set sources.{name}.expect.<rule>.otherwise to quarantine."
        )
