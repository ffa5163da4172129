"""What is predicted, how it is found, and what it must pass: `model` and `gate` in pipeline.yml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from lakeloop.config.values import FunctionName, Held, Interval, Names, Section, listed

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


def _algorithms(value: object) -> object:
    return value if value == "auto" else listed(value)


def _label(value: object) -> object:
    return {"expression": value} if isinstance(value, str) else value


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
