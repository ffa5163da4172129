"""Conservation: every raw record is in silver, superseded, quarantined or dropped by a named rule; nothing vanishes.

Each term is computed apart: the tables are counted, and what they should hold is judged anew from bronze. The keys of
silver are compared with those that bronze gives, so that two faults of the same size do not hide each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop import history, silver
from lakeloop.config.sources import START, Source
from lakeloop.derivation import ByKey, Derivation, Folded
from lakeloop.errors import LakeloopError
from lakeloop.governance import files
from lakeloop.governance.account import (
    DIFFERENT,
    DOUBLED,
    MISSING,
    SURPLUS,
    Judged,
    Keys,
    SourceAudit,
    with_findings,
)
from lakeloop.governance.words import counted
from lakeloop.quality import FAILED
from lakeloop.silver import FILE, INGESTED, MODIFIED, ROW_HASH
from lakeloop.tables import Lakehouse, Table

SAMPLE = 3
# What silver has beside the configured columns: a row that came again may have others of these, and nothing is lost.
OWN = (FILE, MODIFIED, INGESTED, ROW_HASH)
# How an interval of a history can differ from what bronze gives.
OF_INTERVALS = {
    MISSING: "missing",
    SURPLUS: "that bronze does not give",
    DIFFERENT: "with other values than bronze gives",
    DOUBLED: "more than once",
}


def audit_all(lakehouse: Lakehouse, command: str) -> tuple[list[SourceAudit], list[str]]:
    """The accounts of all sources, and why others could not be made; see `audit`."""
    found, unable = [], []
    for name in lakehouse.settings.pipeline.sources:
        try:
            found.append(audit(lakehouse, name, command))
        except LakeloopError as error:
            unable.append(str(error))
    return found, unable


def audit(lakehouse: Lakehouse, name: str, command: str) -> SourceAudit:
    """The account of one source, at the version of bronze that silver has consumed.

    ``command`` is what a user adds to `lakeloop silver` to mean this use case. LakeloopError where a table is not there
    or was made by another configuration: then nothing can be compared.
    """
    settings = lakehouse.settings
    made = {item.output: item for item in (*silver.derivations(settings, name), *history.derivations(settings, name))}
    bronze, table, quarantine = Table("bronze", name), Table("silver", name), Table("quarantine", name)
    latest = lakehouse.latest(bronze)
    if latest is None:
        raise LakeloopError(f"bronze.{name} is not there yet: run `lakeloop run {command}` first.")
    consumed = {output: _consumed(lakehouse, derivation, bronze, command) for output, derivation in made.items()}
    version = consumed[table]

    source = settings.pipeline.sources[name]
    raw, rows = _at(lakehouse, bronze, version, latest.version), lakehouse.read(table)
    held = lakehouse.read(quarantine)
    identity = made[table].identity
    assert isinstance(identity, ByKey)
    if consumed[quarantine] == version:
        judged = judge(raw, held, source)
    else:
        # A run was stopped between the two tables: each is compared with the rows that it has seen.
        judged = judge(raw, None, source)
        seen = _at(lakehouse, bronze, consumed[quarantine], latest.version)
        judged.unlike.extend(judge(seen, held, source).unlike)
    intervals = []
    for output, derivation in made.items():
        if isinstance(derivation.identity, Folded):
            seen = _at(lakehouse, bronze, consumed[output], latest.version)
            intervals += unlike_intervals(derivation, derivation.compute({bronze: seen}), lakehouse.read(output))
    keys = compare_keys(raw, rows, source, identity.key)
    found = SourceAudit(
        name,
        version,
        raw.count(),
        keys.rows,
        judged.kept - keys.expected,
        judged.held if consumed[quarantine] == version else judged.quarantined,
        judged.dropped,
        judged.dropped_by,
        judged.warned_by,
        files.look(lakehouse, name, lakehouse.read(bronze)),
        (),
        (),
    )
    return with_findings(found, judged, keys, intervals, latest.version, consumed, command)


def _at(lakehouse: Lakehouse, table: Table, version: int, latest: int) -> DataFrame:
    """The table as of a version; its newest is read without travelling, which takes a second."""
    return lakehouse.read(table, None if version == latest else version)


def _consumed(lakehouse: Lakehouse, derivation: Derivation, bronze: Table, command: str) -> int:
    """The version of bronze that the table has consumed."""
    known = lakehouse.last_progress(derivation.output)
    mend = f"run `lakeloop silver {command}`, then audit"
    if known is None:
        raise LakeloopError(f"{derivation.output} is not there yet: {mend}.")
    consumed = known[1].get("consumed")
    if not isinstance(consumed, dict) or str(bronze) not in consumed:
        raise LakeloopError(f"{derivation.output} has no record of what it was made from: {mend}.")
    if known[1].get("fingerprint") != derivation.fingerprint:
        raise LakeloopError(
            f"{derivation.output} was made by another configuration of sources.{bronze.name} than the present one, so "
            f"its rows cannot be compared: {mend}."
        )
    version = int(consumed[str(bronze)])
    latest, changed = lakehouse.latest(bronze), lakehouse.last_change(bronze)
    # Maintenance since then has changed no row, and may have removed the files of that version.
    return latest.version if latest is not None and changed is not None and changed <= version else version


def judge(bronze: DataFrame, quarantine: DataFrame | None, source: Source) -> Judged:
    """Counts bronze's rows by what the rules say, and compares those to be quarantined with ``quarantine``, file by
    file and rule by rule; one action over bronze."""
    groups = _by_rules(bronze, quarantine, source).collect()

    def total(flag: str) -> int:
        return sum(row["raw"] for row in groups if row[flag])

    def by_rule(flag: str, otherwise: str) -> dict[str, int]:
        found = {
            rule: sum(row["raw"] for row in groups if row[flag] and rule in row[FAILED])
            for rule, spec in source.expect.items()
            if spec.otherwise == otherwise
        }
        return {rule: count for rule, count in found.items() if count}

    unlike = []
    for row in sorted(groups, key=lambda row: row[FAILED]):
        broken = ", ".join(row[FAILED]) or "no rule"
        if row["lacking"]:
            unlike.append(f"lacks {counted(row['lacking'], 'row')} ({broken}), such as of {row['lacking_in']}")
        if row["surplus"]:
            unlike.append(f"has {counted(row['surplus'], 'row')} too many ({broken}), such as of {row['surplus_in']}")
    return Judged(
        sum(row["raw"] for row in groups),
        total("kept"),
        total("out"),
        total("dropped"),
        sum(row["held"] for row in groups),
        by_rule("dropped", "drop"),
        by_rule("kept", "warn"),
        unlike,
    )


def _by_rules(bronze: DataFrame, quarantine: DataFrame | None, source: Source) -> DataFrame:
    """One row a set of rules that rows break: `_failed_rules`, `raw` rows in bronze, `held` rows in quarantine; over
    the files, how many rows quarantine is `lacking` and has in `surplus`, and a file of each (`lacking_in`,
    `surplus_in`); and whether such rows are `kept`, `out` (to be quarantined) or `dropped`."""
    rules = silver.expectations(bronze, source)
    none, rows = F.lit(0).cast("bigint"), F.count(F.lit(1))
    counts = silver.judged(bronze, source).groupBy(FILE, FAILED).agg(rows.alias("raw"), none.alias("held"))
    off = F.lit(0)
    if quarantine is not None:
        held = quarantine.groupBy(FILE, FAILED).agg(none.alias("raw"), rows.alias("held"))
        sums = F.sum("raw").alias("raw"), F.sum("held").alias("held")
        counts = counts.unionByName(held).groupBy(FILE, FAILED).agg(*sums)
        off = F.col("held") - F.when(rules.quarantined(), F.col("raw")).otherwise(0)
    return (
        counts.withColumn("off", off)
        .groupBy(FAILED)
        .agg(
            F.sum("raw").alias("raw"),
            F.sum("held").alias("held"),
            F.sum(F.greatest(-F.col("off"), F.lit(0))).alias("lacking"),
            F.sum(F.greatest("off", F.lit(0))).alias("surplus"),
            F.min_by(FILE, "off").alias("lacking_in"),
            F.max_by(FILE, "off").alias("surplus_in"),
        )
        .select("*", rules.kept().alias("kept"), rules.quarantined().alias("out"), rules.dropped().alias("dropped"))
    )


def compare_keys(bronze: DataFrame, table: DataFrame, source: Source, key: Sequence[str]) -> Keys:
    """The keys and values that bronze's rows give, against silver's; one action, and one a way of differing."""
    columns = [item for item in table.schema if item.name not in OWN]
    return _compared(_newest(bronze, source, key, columns), _present(table, key, columns), key)


def unlike_intervals(derivation: Derivation, expected: DataFrame, table: DataFrame) -> list[str]:
    """How a history differs from the intervals that bronze gives, in words."""
    assert isinstance(derivation.identity, Folded)
    key = derivation.identity.key
    columns = [item for item in table.schema if item.name not in OWN]
    # A start may be null, and no join finds a null.
    wanted, found = (
        _present(rows.withColumn(START, F.coalesce(F.col(START).cast("string"), F.lit("null"))), key, columns)
        for rows in (expected, table)
    )
    keys = _compared(wanted.withColumnsRenamed({"copies": "versions", "found": "wanted"}), found, key)
    return [
        f"{derivation.output}: {counted(keys.differing[kind], 'interval')} {what}: {'; '.join(keys.samples[kind])}"
        for kind, what in OF_INTERVALS.items()
        if kind in keys.differing
    ]


def _compared(wanted: DataFrame, found: DataFrame, key: Sequence[str]) -> Keys:
    compared = wanted.join(found, list(key), "full").withColumn("differs", _differs())
    rows = (
        compared.groupBy("differs")
        .agg(F.count("versions").alias("given"), F.count(F.lit(1)).alias("keys"), F.sum("copies").alias("rows"))
        .collect()
    )
    differing = {row["differs"]: row["keys"] for row in rows if row["differs"] is not None}
    samples = {
        kind: [
            ", ".join(f"{column}={row[column]}" for column in key)
            for row in compared.filter(F.col("differs") == kind)
            .select(*[f"`{name}`" for name in key])
            .limit(SAMPLE)
            .collect()
        ]
        for kind in differing
    }
    return Keys(sum(row["given"] for row in rows), sum(row["rows"] or 0 for row in rows), differing, samples)


def _newest(bronze: DataFrame, source: Source, key: Sequence[str], columns: Sequence[T.StructField]) -> DataFrame:
    """One row a key that the rules keep: the key, `versions` bigint and `wanted`, a hash of the newest one's values."""
    rows = silver.kept(bronze, source).withColumn("_values", _values(columns))
    newest = F.max(F.struct(*[F.col(f"`{column}`") for column in source.order()], "_values"))
    return rows.groupBy(*[F.col(f"`{column}`") for column in key]).agg(
        F.count(F.lit(1)).alias("versions"), newest.getField("_values").alias("wanted")
    )


def _present(table: DataFrame, key: Sequence[str], columns: Sequence[T.StructField]) -> DataFrame:
    """One row a key of silver: the key, `copies` bigint and `found`, a hash of its values."""
    return table.groupBy(*[F.col(f"`{column}`") for column in key]).agg(
        F.count(F.lit(1)).alias("copies"), F.max(_values(columns)).alias("found")
    )


def _values(columns: Sequence[T.StructField]) -> Column:
    """A hash of a row's values; Spark hashes no maps, so what is nested is hashed as JSON."""
    nested = (T.StructType, T.ArrayType, T.MapType)
    parts = []
    for item in columns:
        column = F.col(f"`{item.name}`")
        parts.append(F.to_json(F.struct(column)) if isinstance(item.dataType, nested) else column)
    return F.xxhash64(*parts)


def _differs() -> Column:
    return (
        F.when(F.col("copies").isNull(), MISSING)
        .when(F.col("versions").isNull(), SURPLUS)
        .when(F.col("copies") > 1, DOUBLED)
        .when(F.col("wanted") != F.col("found"), DIFFERENT)
    )
