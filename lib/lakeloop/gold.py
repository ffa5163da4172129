"""Gold: one SQL query a table, over silver and other gold tables, rebuilt in slices when its inputs change."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import types as T

from lakeloop.config import Settings, sql
from lakeloop.config.gold import Gold
from lakeloop.config.loading import PIPELINE_FILE
from lakeloop.config.references import gold_order
from lakeloop.derivation import BySlice, Derivation, Rows
from lakeloop.errors import ConfigurationError, Problem
from lakeloop.session import interprets
from lakeloop.slices import ALL, DaysAround, Touched
from lakeloop.tables import Table
from lakeloop.uniqueness import is_key, unique


def derivations(settings: Settings) -> list[Derivation]:
    """The gold tables, each after those that it reads."""
    return [derivation(settings, name) for name in gold_order(settings.gold_inputs())]


def derivation(settings: Settings, name: str) -> Derivation:
    """gold.<name>: the columns of its query or function. Where that yields a key twice, the run stops and says so."""
    gold = settings.pipeline.gold[name]
    # What the table is cut by comes first: its rows are the table's own, the others are looked up.
    tables = [Table.parse(table) for table in settings.gold_inputs()[name]]
    column = gold.increment_by
    inputs = tuple(sorted(tables, key=lambda table: not (column and _has_column(settings, table, column))))

    def compute(rows: Rows) -> DataFrame:
        made = computed(settings, name, rows)
        if problems := no_days(settings, name, made):
            raise ConfigurationError(problems)
        return made if never_twice(settings, name, rows) else unique(made, gold.key, f"gold.{name}")

    return Derivation(
        Table("gold", name),
        inputs,
        compute,
        _identity(settings, gold, inputs),
        settings.fingerprint(settings.queries.get(name), gold),
    )


def _identity(settings: Settings, gold: Gold, inputs: Sequence[Table]) -> BySlice:
    """Slices by `increment_by`; an input that has that column is read in slices too, where we know that it has."""
    column = gold.increment_by
    if column is None:
        return BySlice(gold.key[0], {table: ALL for table in inputs}, key=tuple(gold.key))
    touched: dict[Table, Touched] = {}
    restricted = set()
    for table in inputs:
        if str(table) in gold.affected_by:
            touched[table] = gold.affected_by[str(table)]
        elif str(table) in gold.near:
            near = gold.near[str(table)]
            touched[table] = DaysAround(near.column, near.days_before, near.days_after)
            restricted.add(table)
        elif _has_column(settings, table, column):
            touched[table] = f"`{column}`"
            restricted.add(table)
        else:
            touched[table] = ALL
    return BySlice(column, touched, frozenset(restricted), key=tuple(gold.key))


def _has_column(settings: Settings, table: Table, column: str) -> bool:
    """Whether the table's rows have the slice that they touch in ``column``. Those of a history have not, whatever its
    columns: what held on a day may have begun long before."""
    if table.layer == "gold":
        return settings.pipeline.gold[table.name].increment_by == column
    if table.layer == "silver" and table.name in settings.pipeline.histories():
        return False
    return column in settings.pipeline.sources[table.name].columns


def computed(settings: Settings, name: str, rows: Rows) -> DataFrame:
    """What the table's query or function makes of its inputs' rows; ConfigurationError where it is no DataFrame."""
    function = settings.functions.get(f"gold.{name}.python")
    if function is None:
        return run_query(settings.queries[name], rows)
    found = function({str(table): frame for table, frame in rows.items()})
    if not isinstance(found, DataFrame):
        what = f"{function.name}, which returns a {type(found).__name__}"
        raise function.wrong(what, "a function that returns a pyspark.sql.DataFrame", "did you forget `return`?")
    return found


def never_twice(settings: Settings, name: str, rows: Rows) -> bool:
    """Whether Spark can tell that the table's query gives no key twice, given that none of its inputs has its own key
    twice. It is not asked where rows are few, for to look at them takes less, nor of a Python function, which may do
    more than to describe rows."""
    if name not in settings.queries or interprets(next(iter(rows.values())).sparkSession):
        return False
    once = {table: frame.dropDuplicates(settings.pipeline.key(*table)) for table, frame in rows.items()}
    return is_key(run_query(settings.queries[name], once), settings.pipeline.gold[name].key)


def no_days(settings: Settings, name: str, made: DataFrame) -> list[Problem]:
    """What is wrong with a table that inputs are `near` to: its slices are not days. Nothing where there is no such
    input."""
    gold = settings.pipeline.gold[name]
    if not gold.near or gold.increment_by is None:
        return []
    kind = made.selectExpr(f"`{gold.increment_by}`").schema[0].dataType
    if isinstance(kind, T.DateType):
        return []
    found = f"{gold.increment_by}, which is a {kind.simpleString()}"
    expected = "a date, for inputs are near days"
    hint = f"to_date({gold.increment_by}) is one, as a column of its own"
    return [Problem(str(settings.folder / PIPELINE_FILE), f"gold.{name}.increment_by", found, expected, hint)]


def run_query(query: str, rows: Rows) -> DataFrame:
    """The query's result, with each table that it names standing for the given rows. No view of them is left in the
    session: on Spark Connect, which resolves names late, a later one of that name would change the result."""
    spark = next(iter(rows.values())).sparkSession
    return spark.sql(sql.template(query), **{sql.field(str(table)): frame for table, frame in rows.items()})
