"""The history of a source: all versions of a key, each with the time from which and until which it held.

What a table of intervals has forgotten is when exactly a version was seen again within its interval. As long as new
versions fall between intervals, or are no others than the one that held, the intervals are all that has to be known;
only where another version falls inside an interval are the key's versions taken from bronze once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window, WindowSpec

from lakeloop.config import Settings
from lakeloop.config.loading import PIPELINE_FILE
from lakeloop.config.references import START_EXPECTED, START_HINT
from lakeloop.config.sources import END, HISTORY, LAST_SEEN, ROW_HASH, START, Source
from lakeloop.derivation import Derivation, Folded, Rows
from lakeloop.errors import ConfigurationError, Problem
from lakeloop.merging import GONE
from lakeloop.rawcolumns import FILE, INGESTED, MODIFIED
from lakeloop.silver import EXACT_JSON, HASHED, kept
from lakeloop.tables import Table

# What is not compared where two versions are, beside `latest_by`.
_OWN = (FILE, MODIFIED, INGESTED, ROW_HASH, START, END, LAST_SEEN)
# By these an interval is another than before: which raw row began it, until when it held and was seen.
_TOLD_BY = (FILE, MODIFIED, ROW_HASH, END, LAST_SEEN)
_SEEN_AGAIN = f"NOT {START} <=> {LAST_SEEN}"
_ALL = (Window.unboundedPreceding, Window.unboundedFollowing)


def derivations(settings: Settings, name: str) -> list[Derivation]:
    """silver.<name>_history, from bronze.<name>, where the source keeps one: see `intervals` for its columns."""
    source = settings.pipeline.sources[name]
    if not source.history:
        return []
    bronze = Table("bronze", name)

    def computed(rows: Rows) -> DataFrame:
        return intervals(versions(rows[bronze], name, source), source)

    def fold(new: DataFrame, there: DataFrame, whole: DataFrame) -> DataFrame:
        return folded(versions(new, name, source), there, lambda: versions(whole, name, source), source)

    return [
        Derivation(
            Table("silver", name + HISTORY),
            (bronze,),
            computed,
            Folded((*source.key, START), fold, _TOLD_BY),
            settings.fingerprint("history", HASHED, *source.meaning()),
        )
    ]


def versions(bronze: DataFrame, name: str, source: Source) -> DataFrame:
    """The bronze rows that stay, as silver has them, with `__START_AT`; ConfigurationError where that is no time."""
    start = source.order()[0]
    rows = kept(bronze, source).withColumn(START, F.col(f"`{start}`"))
    kind = rows.schema[START].dataType
    if not is_start(kind):
        found = f"{start}, which is a {kind.simpleString()}"
        raise ConfigurationError(
            [Problem(PIPELINE_FILE, f"sources.{name}.latest_by", found, START_EXPECTED, START_HINT)]
        )
    return rows


def is_start(kind: T.DataType) -> bool:
    """Whether a version can hold from a value of this type on."""
    return isinstance(kind, (T.TimestampType, T.TimestampNTZType, T.DateType, T.NumericType))


def intervals(versions: DataFrame, source: Source) -> DataFrame:
    """One row for each time that a key was as it was: the columns of silver as they came with the first version of it,
    then `__START_AT`, the version's; `__END_AT`, the start of what came then, null where nothing did; `_last_seen_at`,
    the start of the last version that was no other.

    Of versions with the same start the newest counts. A start that is null stands before all others.
    """
    return _marked(versions, source).filter(f"NOT {GONE}").drop(GONE)


def folded(new: DataFrame, there: DataFrame, whole: Callable[[], DataFrame], source: Source) -> DataFrame:
    """The intervals of the keys that have new versions (``new``), from those that they have (in ``there``); keys for
    which that is not enough are looked up in ``whole``, all versions there are. One action looks for such keys.

    Versions that were considered and begin no interval are marked as GONE. They may have begun one before, or another
    run, which saw fewer versions, may have begun one there meanwhile.
    """
    before = there.join(new.select(*_columns(source.key)), source.key, "left_semi")
    new = _newest_of_a_start(new, source)
    known = _ends(before).unionByName(new, allowMissingColumns=True)
    late = _inside(new, before, source)
    if not late.isEmpty():
        anew = whole().withColumn("_late", F.lit(True))
        either = known.withColumn("_late", F.lit(False)).unionByName(anew, allowMissingColumns=True)
        either = either.join(late.withColumn("_wanted", F.lit(True)), source.key, "left")
        known = either.filter("_late = ifnull(_wanted, false)").drop("_late", "_wanted")
    return _marked(known, source)


def _marked(versions: DataFrame, source: Source) -> DataFrame:
    """The newest version of each start; GONE are those that are no others than the version before them, the others have
    their `__END_AT` and `_last_seen_at`."""
    by_start = _of_a_key(source, START)
    content = _content(versions, source)
    following = Window.partitionBy(*_columns(source.key), GONE).orderBy(START)
    return (
        _newest_of_a_start(versions, source)
        .withColumn("_before", F.lag(START).over(by_start))
        .withColumn("_newest", F.last(START).over(by_start.rowsBetween(*_ALL)))
        .withColumn(GONE, F.lag(content).over(by_start).eqNullSafe(content))
        .withColumn("_next", F.lead(F.struct(START, "_before")).over(following))
        .select(
            *_columns(column for column in versions.columns if column != START),
            START,
            F.col(f"_next.{START}").alias(END),
            F.when(F.isnull("_next"), F.col("_newest")).otherwise(F.col("_next._before")).alias(LAST_SEEN),
            GONE,
        )
    )


def _ends(rows: DataFrame) -> DataFrame:
    """Intervals as versions: that at the start, and, where it was seen again, that at `_last_seen_at`."""
    ends = F.array_distinct(F.array(START, LAST_SEEN))
    return rows.withColumn(START, F.explode(ends)).drop(END, LAST_SEEN)


def _inside(new: DataFrame, before: DataFrame, source: Source) -> DataFrame:
    """The keys of new versions that fall inside an interval, between its first version and the last that was no other,
    and differ from what held there. What is older than the first version of its own start changes nothing."""
    missing = [field for field in new.schema if field.name not in before.columns]
    # Spark Connect refuses to add no column.
    if missing:
        before = before.withColumns({field.name: F.lit(None).cast(field.dataType) for field in missing})
    now = new.select(
        *_columns(source.key), _place(source).alias("_at"), F.struct(START).alias("_start"), _content(new, source)
    )
    held = before.filter(_SEEN_AGAIN).select(
        *_columns(source.key),
        _place(source).alias("_first"),
        F.struct(F.col(LAST_SEEN).alias(START)).alias("_last"),
        _content(new, source).alias("_held"),
    )
    inside = now.join(held, source.key).filter("_at > _first AND _start <= _last AND NOT _content <=> _held")
    return inside.select(*_columns(source.key)).distinct()


def _newest_of_a_start(versions: DataFrame, source: Source) -> DataFrame:
    """One version for each key and start: the newest, by the rest of the source's order."""
    following = F.lead(F.struct(START)).over(_of_a_key(source, START, *source.order()))
    return versions.withColumn("_older", following.eqNullSafe(F.struct(START))).filter("NOT _older").drop("_older")


def _place(source: Source) -> Column:
    """Where a version stands among those of its key. A struct, for in one null is a value, the smallest."""
    return F.struct(START, *_columns(source.order()))


def _content(versions: DataFrame, source: Source) -> Column:
    """What makes a version another one than that before it; maps, which Spark does not compare, as JSON."""
    aside = {name.lower() for name in (*source.latest_by, *_OWN)}
    parts = []
    for field in versions.schema:
        if field.name.lower() not in aside:
            column = f"`{field.name}`"
            has_map = "map<" in field.dataType.simpleString()
            parts.append(f"to_json(struct({column}), {EXACT_JSON}) AS {column}" if has_map else column)
    return F.expr(f"struct({', '.join(parts)})").alias("_content")


def _of_a_key(source: Source, *order: str) -> WindowSpec:
    return Window.partitionBy(*_columns(source.key)).orderBy(*_columns(order))


def _columns(names: Iterable[str]) -> list[Column]:
    return [F.col(f"`{name}`") for name in names]
