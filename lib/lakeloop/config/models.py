"""The configuration language: what a pipeline.yml may say, with types, defaults and what each thing means.

Expressions are Spark SQL. A key that is not here is refused.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    model_validator,
)

from lakeloop.config import intervals, patterns, sizes, sql

# How a silver column that a Python function computes is written among the expressions.
PYTHON = "python:"

_FUNCTION = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
BARE_TYPE = re.compile(
    r"^(string|boolean|tinyint|smallint|int|integer|bigint|long|float|double|date|timestamp|"
    r"decimal(\(\s*\d+\s*(,\s*\d+\s*)?\))?)$",
    re.IGNORECASE,
)


# Silver's own columns: a hash of the raw row, and where there is no key, the how-manieth such row of its file it is.
ROW_HASH, ROW_NUMBER = "_row_hash", "_row_number"
# What the name of a history adds to that of its silver table, and its own columns: from when a row was so, until when,
# and when it was last seen so. The first two are the names that Lakeflow's AUTO CDC gives them.
HISTORY = "_history"
START, END, LAST_SEEN = "__START_AT", "__END_AT", "_last_seen_at"


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("a name of lower-case letters, digits and underscores that starts with a letter")
    return value


def _function(value: str) -> str:
    if not _FUNCTION.match(value):
        raise ValueError("a function as module:function, such as cleaning:score")
    return value


def _column(value: object) -> object:
    """{python: cleaning:score} as one text."""
    if isinstance(value, dict) and list(value) == ["python"]:
        return PYTHON + _function(str(value["python"]))
    return value


def _interval(value: str) -> str:
    intervals.seconds(value)
    return value


def _retention(value: str) -> str:
    length = intervals.seconds(value)
    if length < 7 * 86_400 or length % 86_400:
        raise ValueError("7 days or more, in whole days: younger files may be in use by a run")
    return value


def _size(value: str) -> str:
    sizes.in_bytes(value)
    return value


def _measure(value: str) -> str:
    sql.measure(value)
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _algorithms(value: object) -> object:
    return value if value == "auto" else _listed(value)


def _rule(value: object) -> object:
    return {"rule": value} if isinstance(value, str) else value


def _label(value: object) -> object:
    return {"expression": value} if isinstance(value, str) else value


def _text(value: object) -> object:
    """YAML reads 2013-10-01 as a date and 0.2 as a number."""
    return str(value) if isinstance(value, (date, int, float)) else value


def _values(value: object) -> object:
    """A value or a list of them as texts, as files spell them."""
    listed = value if isinstance(value, list) else [value]
    for item in listed:
        if isinstance(item, (bool, type(None))):
            raise ValueError(
                "texts and numbers; put a word that YAML reads as something else (no, yes, null) in quotes"
            )
    return [_text(item) for item in listed]


def _storable(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if re.search(r"[ ,;{}()\n\t=]", name):
            raise ValueError(
                f"names without spaces and without any of ,;{{}}()=, which Delta refuses, where there is '{name}'"
            )
    return value


def _pattern(value: str) -> str:
    patterns.numbered(value)
    return value


Held = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float)]
Name = Annotated[str, AfterValidator(_name)]
Interval = Annotated[str, AfterValidator(_interval)]
Size = Annotated[str, AfterValidator(_size)]
Values = Annotated[list[str], BeforeValidator(_values, json_schema_input_type=str | float | list[str | float])]
Names = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
# What editors offer for a silver column.
_Written = Annotated[
    str,
    Field(
        description="A bare type, or a Spark SQL expression.",
        examples=["string", "int", "bigint", "double", "decimal(12,2)", "boolean", "date", "timestamp"],
    ),
]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


FunctionName = Annotated[str, AfterValidator(_function)]


class Computed(Section):
    """A silver column that a Python function computes."""

    python: FunctionName = Field(
        description="A function of the rows (a DataFrame with the columns above it) that returns a Column.",
        examples=["cleaning:score"],
    )


class Rule(Section):
    """An expectation on a silver row. A rule that gives null passes, as in an SQL CHECK constraint."""

    rule: str = Field(description="A Spark SQL condition over the silver columns.", examples=["distance > 0"])
    otherwise: Literal["quarantine", "drop", "warn", "fail"] = Field(
        "quarantine", description="What becomes of a row for which the condition is false.", examples=["warn"]
    )


class Source(Section):
    """A kind of raw file: how it is read (bronze) and what a row of it means (silver)."""

    path: str = Field(
        description="Files, folder or pattern: below the environment's landing root, or absolute, or a URI.",
        examples=["flights/*.csv"],
    )
    format: Literal["csv", "json", "parquet", "delta", "text"] = Field(
        "csv",
        description="The files' format. Delta: a table that rows are only added to, by its folder or as schema.table. "
        "Text: lines, taken apart by `pattern`.",
        examples=["json"],
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Spark's own options of that format.",
        examples=["{sep: ';', encoding: latin-1}"],
    )
    names: Names = Field(
        default_factory=list,
        description="CSV without a header: the columns' names, in order. Without names they are _c0, _c1 ….",
        examples=["[age, workclass, income]"],
    )
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None,
        description="Text: a regular expression for a whole line; each named group is a column. Other lines go to "
        "quarantine.",
        examples=[r"(?<host>\S+) - - \[(?<at>[^\]]+)\] (?<request>.*)"],
    )
    schema_evolution: Literal["add_new_columns", "rescue", "fail_on_new_columns", "none"] = Field(
        "add_new_columns",
        description="What becomes of columns that only later files have: they are added (null in earlier rows), kept "
        "as JSON in `_rescued_data`, a reason to stop, or left out. A column that files lack is null.",
        examples=["rescue"],
    )
    missing: Values = Field(
        default_factory=list,
        description="Values that stand for a missing one, in every column, beside the empty text.",
        examples=["[NA, '?']"],
    )
    missing_in: dict[str, Values] = Field(
        default_factory=dict,
        description="More of them, by raw column.",
        examples=["{age: [999], weight: [-1, unknown]}"],
    )
    key: Names = Field(
        default_factory=list,
        description="Silver columns that identify a row. None: its raw content does; equal rows of one file are rows "
        "of their own, and what is delivered again adds none.",
        examples=["[flight_date, carrier, flight]"],
    )
    latest_by: Names = Field(
        default_factory=lambda: ["_source_modified_at", "_source_file"],
        description="Which version of a key wins: the greatest of these silver columns.",
        examples=["[updated_at]"],
    )
    history: bool = Field(
        False,
        description="Whether silver.<name>_history keeps all versions of a key: the silver columns with `__START_AT`, "
        "`__END_AT` (null: still so) and `_last_seen_at`. A version holds from the first column of `latest_by` on, a "
        "timestamp, a date or a number; versions that follow each other and differ in nothing but `latest_by` are one.",
        examples=[True],
    )
    columns: Annotated[
        dict[str, Annotated[str, BeforeValidator(_column, json_schema_input_type=_Written | Computed)]],
        AfterValidator(_storable),
    ] = Field(
        default_factory=dict,
        description="Silver columns, in order: a bare type (a safe cast of the raw column of that name) or an "
        "expression, which sees the casts and the expressions above it; or {python: module:function}. Empty: every "
        "raw column as it is.",
        examples=["{year: int, flight_date: 'make_date(year, month, day)'}"],
    )
    expect: dict[Name, Annotated[Rule, BeforeValidator(_rule, json_schema_input_type=str | Rule)]] = Field(
        default_factory=dict,
        description="Named expectations; a bare condition quarantines.",
        examples=["{distance_is_positive: distance > 0}"],
    )

    # The Python functions (see config.functions) by their columns; loading gives them.
    _functions: dict[str, Any] = PrivateAttr(default_factory=dict)

    def function(self, column: str) -> Any | None:
        """The Python function that computes a column; None where an expression does."""
        return self._functions[column] if self.columns[column].startswith(PYTHON) else None

    @model_validator(mode="after")
    def _options_of_format(self) -> Source:
        if self.names and self.format != "csv":
            raise ValueError("'names' only with format: csv")
        twice = {name for name in self.names if [other.lower() for other in self.names].count(name.lower()) > 1}
        if twice:
            raise ValueError(f"each column's name once, where a name comes twice: {min(twice, key=self.names.index)}")
        if self.pattern is not None and self.format != "text":
            raise ValueError("'pattern' only with format: text")
        header = next((value for key, value in self.options.items() if key.lower() == "header"), False)
        if self.names and str(header).lower() == "true":
            raise ValueError("either 'names' or 'options.header: true', not both")
        return self

    def identity(self) -> list[str]:
        """The silver columns that identify a row: the key, or the row's content and its number within its file."""
        return list(self.key) or [ROW_HASH, ROW_NUMBER]

    def order(self) -> list[str]:
        """The silver columns by which, compared in order, one version of a key is newer than another. Only equal rows
        of one file are alike in all of them."""
        return list(dict.fromkeys([*self.latest_by, "_source_modified_at", "_source_file", ROW_HASH]))

    def meaning(self) -> tuple[object, ...]:
        """What says which row of silver the raw rows give, as plain data, for fingerprints."""
        return (self.missing, self.missing_in, self.columns, self.key, self.latest_by, self.expect_plain())

    def expect_plain(self) -> dict[str, Any]:
        """The expectations as plain data, for fingerprints."""
        return {name: rule.model_dump() for name, rule in self.expect.items()}


class Gold(Section):
    """A gold table: one SQL query, or a Python function, over silver and other gold tables."""

    sql: str | None = Field(
        None, description="A .sql file beside pipeline.yml, or the query itself.", examples=["departures.sql"]
    )
    python: FunctionName | None = Field(
        None,
        description="In place of `sql`: a function of the inputs (a mapping from their names to DataFrames) that "
        "returns a DataFrame.",
        examples=["tables:daily"],
    )
    inputs: Names = Field(
        default_factory=list,
        description="With `python`: the tables that the function is given.",
        examples=["[silver.flights, gold.departures]"],
    )
    key: Names = Field(description="Columns that identify a row.", examples=["[flight_date, flight]"])
    time: str | None = Field(
        None, description="Timestamp of the row, for features and windows.", examples=["scheduled_departure"]
    )
    increment_by: str | None = Field(
        None,
        description="Column by whose values the table is rebuilt in slices, when its inputs change.",
        examples=["flight_date"],
    )
    affected_by: dict[str, str] = Field(
        default_factory=dict,
        description="For an input without that column: an expression for the slices (a value or an array) that a "
        "changed row touches, or 'all' (the default) or 'nothing'.",
        examples=["{silver.weather: to_date(observed_at)}"],
    )

    @model_validator(mode="after")
    def _one_way(self) -> Gold:
        if (self.sql is None) == (self.python is None):
            raise ValueError("either sql or python")
        if bool(self.inputs) != (self.python is not None):
            raise ValueError("inputs with python (a query names its tables itself), such as [silver.flights]")
        return self


class FeatureGroup(Section):
    """Windowed aggregates of one entity, as they were known at a time."""

    entity: Names = Field(
        default_factory=list,
        description="Columns that identify the entity, both in `from` and in the spine. None: all events are of one.",
        examples=["[carrier, origin]"],
    )
    from_: str = Field(
        alias="from", description="Table of the events, such as silver.flights.", examples=["silver.flights"]
    )
    where: str | None = Field(
        None, description="Only events for which this condition holds.", examples=["NOT cancelled"]
    )
    time: str = Field(description="Expression for the event's timestamp.", examples=["departed_at"])
    known_after: Interval = Field(
        "0 seconds", description="How long after that its values may be used.", examples=["6 hours"]
    )
    resolution: Interval = Field(
        "1 minute",
        description="Events are pre-aggregated to this; a value is visible from the end of its step.",
        examples=["1 hour"],
    )
    windows: list[Interval] = Field(
        default_factory=list,
        description="Lengths of the windows that end at the spine's time.",
        examples=["[2 hours, 7 days]"],
    )
    lags: list[Interval] = Field(
        default_factory=list,
        description="The measures of the events at exactly so long before the spine's time (to the `resolution`, of "
        "which both times should be whole steps).",
        examples=["[1 day, 7 days]"],
    )
    measures: dict[Name, Annotated[str, AfterValidator(_measure)]] = Field(
        min_length=1,
        description="Aggregates: avg, sum, count, min, max or stddev of an expression.",
        examples=["{mean_delay: avg(dep_delay), flights: count(*)}"],
    )

    @model_validator(mode="after")
    def _looks_somewhere(self) -> FeatureGroup:
        if not self.windows and not self.lags:
            raise ValueError("windows, such as [7 days], or lags")
        early = [lag for lag in self.lags if intervals.seconds(lag) < intervals.seconds(self.known_after)]
        if early:
            raise ValueError(f"lags of {self.known_after} (known_after) or more: after {early[0]} nothing is known yet")
        return self


class Label(Section):
    """What is to be predicted."""

    expression: str = Field(
        description="An expression over the spine; null where the outcome is not known.", examples=["arr_delay > 15"]
    )
    known_after: Interval = Field(
        "0 seconds", description="How long after the spine's time the outcome is known.", examples=["1 day"]
    )


class Split(Section):
    """How rows are held out. By time, a length counts back from the newest row; a date is absolute."""

    by: Literal["time", "random", "group", "column"] = Field(
        "time",
        description="By the spine's time, by a seeded hash of its key (random) or of `group`, or as `column` says.",
        examples=["random"],
    )
    group: Names = Field(
        default_factory=list,
        description="By group: columns whose rows stay together. The model sees them only where `include` says so.",
        examples=["[customer]"],
    )
    column: str | None = Field(
        None,
        description="By column: the one that says train, validation or test; rows where it says something else are "
        "not learnt from. With `validation` given as a share, that share of the train rows validates.",
        examples=["part"],
    )
    validation: Held = Field(
        "30 days", description="Newest part of the training time, for the search; or a share.", examples=["14 days"]
    )
    test: Held = Field(
        "90 days", description="Newest part of all, used once; or a share such as 0.2.", examples=["2013-10-01"]
    )


class Search(Section):
    """The search for algorithm and hyperparameters."""

    max_evals: int = Field(16, ge=1, description="Trials.", examples=[32])
    parallelism: int | Literal["auto"] = Field("auto", description="Trials at a time; auto: one a core.", examples=[4])
    sample_rows: int = Field(100_000, ge=100, description="Rows that a trial is fitted on, at most.", examples=[60000])
    max_rows: int = Field(
        2_000_000, ge=100, description="Rows that the winner is fitted on, at most.", examples=[500000]
    )


ALGORITHMS = ("lightgbm", "xgboost", "logistic_regression")
_KnownAlgorithm = Literal["lightgbm", "xgboost", "logistic_regression", "ridge"]
# The tags are named as pydantic names its own branches, which are no part of a dotted path.
Algorithm = Annotated[
    Annotated[_KnownAlgorithm, Tag("literal[algorithm]")] | Annotated[FunctionName, Tag("function-name")],
    Discriminator(lambda value: "function-name" if ":" in str(value) else "literal[algorithm]"),
]
REGRESSION_METRICS = ("root_mean_squared_error", "mean_absolute_error", "r2_score")
METRICS = {
    "binary": ("roc_auc", "precision_recall_auc", "log_loss", "accuracy_score", "f1_score"),
    "multiclass": ("accuracy_score", "f1_score", "log_loss", "roc_auc"),
    "regression": REGRESSION_METRICS,
    "forecast": REGRESSION_METRICS,
}
# For editors: all of them, whatever the task; loading compares them with the task's.
_METRIC_NAMES = list(dict.fromkeys(name for names in METRICS.values() for name in names))


class Model(Section):
    """The model: what it learns from, how it is found and judged."""

    task: Literal["binary", "multiclass", "regression", "forecast"] = Field(
        description="What kind of outcome it is; forecast: a number some time ahead.", examples=["binary"]
    )
    spine: str = Field(
        description="Table of the rows to predict, such as gold.departures.", examples=["gold.departures"]
    )
    label: Annotated[Label, BeforeValidator(_label, json_schema_input_type=str | Label)] = Field(
        description="The outcome; a bare expression is known at once.",
        examples=["{expression: arr_delay > 15, known_after: 6 hours}"],
    )
    entity: Names = Field(
        default_factory=list,
        description="Forecast: columns of the spine's key that tell the series apart; none where there is one series.",
        examples=["[store]"],
    )
    horizon: Interval | None = Field(
        None,
        description="Forecast: how far ahead. A row's outcome is the label's value in the row of the same entity at "
        "exactly its time + horizon.",
        examples=["7 days"],
    )
    season: Interval | None = Field(
        None,
        description="Forecast: length of a season. The naive model says the newest known value that lies whole seasons "
        "before the target; without a season, the value at the row's time.",
        examples=["7 days"],
    )
    positive: str | None = Field(
        None, description="Which label value is the positive one, where it is a text.", examples=["'Yes'"]
    )
    include: Names = Field(
        default_factory=list,
        description="Columns of the key or of `split.group` that the model may see; a forecast sees its `entity`.",
        examples=["[carrier, origin]"],
    )
    exclude: Names = Field(
        default_factory=list, description="Spine columns that the model may not see.", examples=["[tailnum]"]
    )
    split: Split = Field(Split(), description="How rows are held out.")
    algorithms: Annotated[
        list[Algorithm] | Literal["auto"],
        BeforeValidator(_algorithms, json_schema_input_type=Algorithm | list[Algorithm] | Literal["auto"]),
    ] = Field(
        "auto",
        description="Which algorithms are tried. A Python function module:function takes the task (binary, multiclass, "
        "regression) and the seed, and returns an estimator with fit, set_params and predict (of classes "
        "predict_proba), and its search space: {parameter: [values], (low, high) or (low, high, 'log')}.",
        examples=["[lightgbm, xgboost]"],
    )
    metric: str = Field(
        "",
        description="What the search maximises (or minimises, where smaller is better), and by which models are "
        "compared. Without it the task's first: roc_auc, accuracy_score or root_mean_squared_error.",
        examples=["roc_auc"],
        json_schema_extra={"enum": [*_METRIC_NAMES]},
    )
    search: Search = Field(Search(), description="How the search is bounded.")
    seed: int = Field(42, description="Seed of the split, the search and the estimators.", examples=[7])

    @model_validator(mode="before")
    @classmethod
    def _default_metric(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("metric") and data.get("task") in METRICS:
            return {**data, "metric": METRICS[data["task"]][0]}
        return data

    @property
    def kind(self) -> Literal["binary", "multiclass", "regression"]:
        """What estimators, metrics and monitoring see: a forecast is a regression on labels from later rows."""
        return "regression" if self.task == "forecast" else self.task

    def algorithm_names(self) -> list[str]:
        """The algorithms to try, with ``auto`` resolved for the task."""
        if self.algorithms != "auto":
            return list(self.algorithms)
        return ["lightgbm", "xgboost", "ridge" if self.kind == "regression" else "logistic_regression"]


class Gate(Section):
    """What a model must pass before it becomes champion."""

    minimum: dict[str, float] = Field(
        default_factory=dict,
        description="Smallest test metric allowed, by name; of an error (log_loss, root_mean_squared_error, "
        "mean_absolute_error) the greatest.",
        examples=["{roc_auc: 0.65}"],
        json_schema_extra={"propertyNames": {"enum": [*_METRIC_NAMES]}},
    )
    beat: list[Literal["naive", "champion"]] = Field(
        default=["naive", "champion"],
        description="Models that it must be better than on the test set.",
        examples=["[naive]"],
    )


class Thresholds(Section):
    """From which value a drift metric counts as drift."""

    population_stability_index: float | None = Field(
        0.2, alias="psi", description="Population stability index, from which a column drifts.", examples=[0.1]
    )
    js_distance: float | None = Field(None, description="Jensen-Shannon distance.", examples=[0.2])
    ks_statistic: float | None = Field(None, description="Kolmogorov-Smirnov statistic, of numbers.", examples=[0.2])
    tv_distance: float | None = Field(None, description="Total variation distance.", examples=[0.2])

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Monitoring(Section):
    """Profiles of the scored rows over time, compared with the training set."""

    window: Literal["1 day", "1 week", "1 month"] = Field(
        "1 day", description="Granularity of the profiles.", examples=["1 month"]
    )
    slices: Names = Field(
        default_factory=list, description="Columns for whose values profiles are made apart.", examples=["[origin]"]
    )
    drift: Thresholds = Field(Thresholds(), description="From which value a column counts as drifted.")
    minimum_rows: int = Field(100, ge=1, description="With fewer rows a window's drift is unknown.", examples=[500])


class Maintenance(Section):
    """What `lakeloop maintain` does to the tables."""

    compact_below: Size = Field("128 MB", description="A file smaller than this is a small one.", examples=["64 MB"])
    small_files: int = Field(16, ge=2, description="From so many small files on a table is compacted.", examples=[50])
    retention: Annotated[str, AfterValidator(_retention)] = Field(
        "30 days",
        description="How long files that the newest version does not need are kept, and the log: so far back reach "
        "time travel, the reproduction of a model, and tables that follow the changes of others (older than that they "
        "are made anew).",
        examples=["90 days"],
    )
    z_order: dict[str, Names] = Field(
        default_factory=dict,
        description="Tables whose rows are ordered by these columns when they are compacted.",
        examples=["{silver.flights: [origin, carrier]}"],
    )


class Pipeline(Section):
    """A use case: everything in conf/<name>/pipeline.yml."""

    pipeline: Name = Field(
        description="The use case's name; it names tables, experiment and model.", examples=["flights"]
    )
    description: str = Field("", description="The question, for people.", examples=["Will this flight arrive late?"])
    sources: dict[Name, Source] = Field(
        min_length=1, description="The raw files, by name.", examples=["{weather: {path: weather/*.csv}}"]
    )
    gold: dict[Name, Gold] = Field(
        default_factory=dict,
        description="Gold tables, by name.",
        examples=["{daily: {sql: daily.sql, key: day}}"],
    )
    features: dict[Name, FeatureGroup] = Field(
        default_factory=dict,
        description="Feature groups, by name.",
        examples=["{sales: {entity: store, from: gold.daily, time: day, lags: [7 days], measures: {sold: sum(sold)}}}"],
    )
    model: Model = Field(description="What is predicted, and how.")
    gate: Gate = Field(Gate(), description="What a model must pass before it becomes champion.")
    monitoring: Monitoring = Field(Monitoring(), description="How scored rows are watched.")
    maintenance: Maintenance = Field(Maintenance(), description="How the tables' files are kept in order.")

    def histories(self) -> dict[str, str]:
        """The sources that keep a history, by the name of its table in silver."""
        return {f"{name}{HISTORY}": name for name, source in self.sources.items() if source.history}
