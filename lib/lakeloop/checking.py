"""Checks a use case without running it: Spark analyses each expression against the columns that the raw files have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import SequenceMatcher, get_close_matches
from functools import partial

from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakeloop import bronze, gold, history, silver
from lakeloop.config import Settings, sql
from lakeloop.config.features import FeatureGroup
from lakeloop.config.loading import PIPELINE_FILE, nearest
from lakeloop.config.references import START_EXPECTED, START_HINT, gold_order, spine_key
from lakeloop.config.sources import BARE_TYPE, END, HISTORY, LAST_SEEN, ROW_HASH, ROW_NUMBER, START, Source
from lakeloop.errors import ConfigurationError, DataError, Problem
from lakeloop.modelling import labels, leaks
from lakeloop.rawcolumns import CORRUPT, METADATA, quoted, raw_fields
from lakeloop.tables import Lakehouse, Table

# Types as other languages call them, where a column of silver says nothing but its type.
_TYPES = {
    **dict.fromkeys(("str", "text", "varchar", "char", "object", "category"), "string"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("int32", "int16"), "int"),
    **dict.fromkeys(("int64",), "bigint"),
    **dict.fromkeys(("number", "numeric", "real", "float64"), "double"),
    **dict.fromkeys(("datetime", "datetime64", "time"), "timestamp"),
}
_PLAIN = ("string", "boolean", "int", "integer", "bigint", "long", "double", "float", "decimal", "date", "timestamp")
# What Spark says of an aggregate where there is nothing to aggregate.
_OF_SEVERAL = ("MISSING_GROUP_BY", "MISSING_AGGREGATION")
# What stands for an expression that is wrong, so that those which use it are not called wrong too.
_UNKNOWN = "NULL"
_MOST_NAMES = 20


class Check:
    """The tables of a use case as plans over its raw files, and all that is wrong with them.

    ``problems`` is complete after `analyse`, ``warnings`` after `look`; ``tables`` has the bronze, silver and gold
    tables that can be computed.
    """

    def __init__(self, spark: SparkSession, settings: Settings, now: datetime) -> None:
        self.spark = spark
        self.settings = settings
        self.now = now
        self.file = str(settings.folder / PIPELINE_FILE)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.tables: dict[str, DataFrame] = {}
        self._functions: list[str] | None = None

    def analyse(self) -> Check:
        """Looks at every expression; reads no more of the files than what tells their columns."""
        pipeline = self.settings.pipeline
        for name, source in pipeline.sources.items():
            self._source(name, source)
        for name in gold_order(self.settings.gold_inputs()):
            self._gold(name)
        for name, group in pipeline.features.items():
            self._features(name, group)
        self._model()
        return self

    def look(self) -> Check:
        """Looks at some rows: whether the label's values fit the task, and for columns that give the outcome away;
        those are warnings, for they may be meant."""
        model = self.settings.pipeline.model
        if unfit := labels.unfit(self.tables[model.spine], model):
            self._problem(unfit.where, unfit.found, unfit.expected, unfit.hint)
            return self
        try:
            found = leaks.find(self.tables[model.spine], self.settings.pipeline)
        except DataError as error:
            # Where the model sees windows alone, there is no column to look at.
            if not self.settings.pipeline.features:
                where = "model.exclude" if model.exclude else "model"
                self._problem(where, ", ".join(model.exclude) or "no column", str(error).removeprefix("model: "))
            return self
        except PySparkException as error:
            wanted = "rows to look at for columns that give the label away"
            self.warnings.append(Problem(self.file, "model", _plain(str(error)), wanted))
            return self
        # What a forecast's label is made of is the past, however well it tells what comes.
        past = sql.columns_of(model.label.expression) if model.task == "forecast" else set()
        together: dict[tuple[str, ...], list[str]] = {}
        for leak in found:
            if {name.lower() for name in leak.columns} <= past:
                continue
            together.setdefault(leak.columns, []).append(leak.found)
        for columns, how in together.items():
            names = ", ".join([*model.exclude, *columns])
            told = f"{' and '.join(columns)}: {'; '.join(how)}"
            expected = "columns that are known before the outcome is"
            hint = f"if that is not so here, write exclude: [{names}]"
            self.warnings.append(Problem(self.file, "model.exclude", told, expected, hint))
        return self

    def _source(self, name: str, source: Source) -> None:
        where = f"sources.{name}"
        lakehouse = Lakehouse(self.spark, self.settings)
        try:
            raw = bronze.read(lakehouse, name, self.now)
        except DataError as error:
            self._problem(f"{where}.path", source.path, str(error).removeprefix(f"{where}.path: "))
            return
        self.tables[f"bronze.{name}"] = raw
        given = [field.name for field in raw_fields(raw.schema)]
        columns: dict[str, str] = {}
        # Casts come first, whatever their place; then each expression sees those above it.
        for column, text in source.columns.items():
            if not BARE_TYPE.match(text):
                continue
            columns[column] = text
            if column.lower() not in [other.lower() for other in given]:
                self._unknown(f"{where}.columns.{column}", f"no column {column} in the raw files", column, given)
                columns[column] = f"CAST(NULL AS {text})"
        for column, text in source.columns.items():
            if not BARE_TYPE.match(text):
                tried = partial(silver.typed, raw, _with(source, {**columns, column: text}))
                frame = self._tried(f"{where}.columns.{column}", text, tried)
                columns[column] = text if frame is not None else _UNKNOWN
        typed = silver.typed(raw, _with(source, columns))
        for rule, spec in source.expect.items():
            self._condition(f"{where}.expect.{rule}", spec.rule, typed)
        there = [*(source.columns or given), *METADATA]
        for key, names in (("key", source.key), ("latest_by", source.latest_by)):
            self._present(f"{where}.{key}", names, there)
        if all(column in there for column in source.key):
            self.tables[f"silver.{name}"] = typed.select(
                *[F.col(f"`{column}`") for column in source.columns or given],
                *[F.col(column) for column in METADATA if column != CORRUPT],
                *[F.lit(0).alias(column) for column in (ROW_HASH, *([] if source.key else [ROW_NUMBER]))],
            )
            if source.history:
                self._history(name, source.order()[0])

    def _history(self, name: str, start: str) -> None:
        rows = self.tables[f"silver.{name}"]
        if start.lower() not in [column.lower() for column in rows.columns]:
            return
        at = F.col(f"`{start}`")
        kind = rows.select(at).schema[0].dataType
        # An expression that is wrong has no type, and was told.
        if not history.is_start(kind) and not isinstance(kind, T.NullType):
            found = f"{start}, which is a {kind.simpleString()}"
            self._problem(f"sources.{name}.latest_by", found, START_EXPECTED, START_HINT)
        self.tables[f"silver.{name}{HISTORY}"] = rows.withColumns({START: at, END: at, LAST_SEEN: at})

    def _gold(self, name: str) -> None:
        spec = self.settings.pipeline.gold[name]
        inputs = self.settings.gold_inputs()[name]
        if any(table not in self.tables for table in inputs):
            return
        rows = {Table.parse(table): self.tables[table] for table in inputs}
        where, text = (f"gold.{name}.sql", spec.sql) if spec.sql else (f"gold.{name}.python", spec.python)
        frame = self._tried(where, str(text), lambda: gold.computed(self.settings, name, rows))
        if frame is None:
            return
        self._present(f"gold.{name}.key", spec.key, frame.columns)
        if spec.increment_by and self._present(f"gold.{name}.increment_by", [spec.increment_by], frame.columns):
            self.problems.extend(gold.no_days(self.settings, name, frame))
        if spec.time and self._present(f"gold.{name}.time", [spec.time], frame.columns):
            self._is_time(f"gold.{name}.time", spec.time, frame)
        for table, text in spec.affected_by.items():
            if table in self.tables and text not in ("all", "nothing"):
                self._expression(f"gold.{name}.affected_by.{table}", text, self.tables[table])
        for table, near in spec.near.items():
            where, read = f"gold.{name}.near.{table}.column", self.tables[table]
            if self._present(where, [near.column], read.columns, f" in {table}"):
                self._is_time(where, quoted(near.column), read)
        self.tables[f"gold.{name}"] = frame

    def _features(self, name: str, group: FeatureGroup) -> None:
        where = f"features.{name}"
        events, spine = self.tables.get(group.from_), self.tables.get(self.settings.pipeline.model.spine)
        if events is not None:
            self._present(f"{where}.entity", group.entity, events.columns)
            if self._expression(f"{where}.time", group.time, events) is not None:
                self._is_time(f"{where}.time", group.time, events)
            if group.where:
                self._condition(f"{where}.where", group.where, events)
            for measure, text in group.measures.items():
                self._expression(f"{where}.measures.{measure}", sql.measure(text).expression, events)
        if spine is not None:
            self._present(f"{where}.entity", group.entity, spine.columns, f" of {self.settings.pipeline.model.spine}")

    def _model(self) -> None:
        model = self.settings.pipeline.model
        spine = self.tables.get(model.spine)
        if spine is None:
            return
        kind = self._expression("model.label.expression", model.label.expression, spine)
        if kind is not None:
            self._label(kind, spine)
        allowed = [*spine_key(self.settings.pipeline), *model.split.group]
        self._present("model.include", model.include, allowed, " of the key")
        self._present("model.split.group", model.split.group, spine.columns)
        if model.split.column:
            self._present("model.split.column", [model.split.column], spine.columns)
        self._present("model.exclude", model.exclude, spine.columns)
        self._present("monitoring.slices", self.settings.pipeline.monitoring.slices, spine.columns)

    def _label(self, kind: T.DataType, spine: DataFrame) -> None:
        """Whether the label is of the kind that the task needs."""
        model = self.settings.pipeline.model
        where, text = "model.label.expression", model.label.expression
        boolean = isinstance(kind, (T.BooleanType, T.NumericType))
        if model.task == "binary" and model.positive is None and not boolean:
            expected = f"a condition such as {text} = 'yes', or model.positive to say which value is the positive one"
            self._problem(where, f"{text}, which is a {kind.simpleString()}", expected)
        # An expression that is wrong has no type, and was told.
        if model.kind == "regression" and not isinstance(kind, (T.NumericType, T.NullType)):
            self._problem(
                where, f"{text}, which is a {kind.simpleString()}", "a number; give the column a numeric type"
            )

    def _tried(self, where: str, text: str, make: Callable[[], DataFrame]) -> DataFrame | None:
        """The frame, or None with what Spark said of it among the problems."""
        try:
            frame = make()
            frame.schema  # noqa: B018  # Spark Connect analyses no earlier
        except (AnalysisException, ParseException) as error:
            self._told(where, text, error)
            return None
        except ConfigurationError as error:
            self.problems.extend(error.problems)
            return None
        return frame

    def _expression(self, where: str, text: str, rows: DataFrame) -> T.DataType | None:
        """The type of an expression over ``rows``."""
        frame = self._tried(where, text, lambda: rows.withColumn("_checked", F.expr(text)))
        return None if frame is None else frame.schema["_checked"].dataType

    def _condition(self, where: str, text: str, rows: DataFrame) -> None:
        kind = self._expression(where, text, rows)
        if kind is not None and not isinstance(kind, (T.BooleanType, T.NullType)):
            self._problem(where, f"{text}, which is a {kind.simpleString()}", "a condition, true or false for each row")

    def _is_time(self, where: str, text: str, rows: DataFrame) -> None:
        kind = rows.select(F.expr(text).alias("_checked")).schema["_checked"].dataType
        if not isinstance(kind, (T.TimestampType, T.TimestampNTZType, T.DateType)):
            self._problem(where, f"{text}, which is a {kind.simpleString()}", "a timestamp or a date")

    def _present(self, where: str, names: Sequence[str], there: Sequence[str], of: str = "") -> bool:
        """Whether all columns are there; each that is not is a problem."""
        missing = [name for name in names if name.lower() not in [other.lower() for other in there]]
        for name in missing:
            self._unknown(where, f"no column {name}{of}", name, there)
        return not missing

    def _unknown(self, where: str, found: str, name: str, there: Sequence[str]) -> None:
        shown = [column for column in there if not column.startswith("_")] or list(there)
        more = f" … ({len(shown)} in all)" if len(shown) > _MOST_NAMES else ""
        self._problem(where, found, f"one of {', '.join(shown[:_MOST_NAMES])}{more}", nearest(name, there))

    def _problem(self, where: str, found: str, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, where, found, expected, hint))

    def _told(self, where: str, text: str, error: AnalysisException | ParseException) -> None:
        """What Spark said, as a problem."""
        condition, parameters = error.getCondition() or "", error.getMessageParameters() or {}
        word = text.partition("(")[0].strip().lower()
        type_ = _TYPES.get(word) or next(iter(get_close_matches(word, _PLAIN, n=1, cutoff=0.75)), None)
        whole = word.isidentifier() and ".columns." in where
        if type_ and whole and condition.startswith("UNRESOLVED"):
            self._problem(where, text, "a type or an expression", f"did you mean '{type_}'?")
        elif condition in _OF_SEVERAL and not where.startswith("gold."):
            expected = "a value of each row; what is made of several rows goes into a gold table or a feature group"
            self._problem(where, _brief(text), expected)
        elif condition.startswith("UNRESOLVED_COLUMN"):
            name = parameters.get("objectName", "").replace("`", "")
            near = [part.strip().replace("`", "") for part in parameters.get("proposal", "").split(",") if part.strip()]
            last = name.rsplit(".", 1)[-1]
            short = _nearest_first(last, [part.rsplit(".", 1)[-1] for part in near])
            expected = f"a column that is there{', such as ' + ', '.join(short) if short else ''}"
            self._problem(where, f"no column {name} in {_brief(text)}", expected, nearest(last, short))
        elif condition.startswith("UNRESOLVED_ROUTINE"):
            name = parameters.get("routineName", "").replace("`", "")
            self._problem(
                where, f"no function {name} in {_brief(text)}", "a function of Spark SQL", nearest(name, self._names())
            )
        else:
            self._problem(where, _brief(text), _plain(str(error)))

    def _names(self) -> list[str]:
        """The names of Spark's functions, asked for once."""
        if self._functions is None:
            self._functions = [row[0] for row in self.spark.sql("SHOW FUNCTIONS").collect()]
        return self._functions


def _with(source: Source, columns: Mapping[str, str]) -> Source:
    return source.model_copy(update={"columns": dict(columns)})


def _nearest_first(name: str, names: Sequence[str]) -> list[str]:
    """The names that a user knows, those most like ``name`` first."""
    known = dict.fromkeys(other for other in names if not other.startswith("_"))
    return sorted(known, key=lambda other: -SequenceMatcher(None, name, other).ratio())


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "..."


def _plain(message: str) -> str:
    """Spark's message as one sentence: without its condition, its SQLSTATE and its plan."""
    line = " ".join(message.split("SQLSTATE")[0].split())
    return re.sub(r"^\[[A-Z0-9_.]+\]\s*", "", line)[:400] or "SQL that Spark can analyse"
