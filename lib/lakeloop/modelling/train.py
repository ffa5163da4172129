"""Training: search, refit, one look at the test set, everything logged, and the gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count
from pyspark.sql import DataFrame

from lakeloop.config import Settings
from lakeloop.config.functions import Function
from lakeloop.config.references import spine_key
from lakeloop.derive import Engine
from lakeloop.errors import LakeloopError
from lakeloop.features.table import feature_table
from lakeloop.modelling import dataset, gate, metrics, tuning
from lakeloop.modelling.dataset import PART, TEST, TRAIN, VALIDATION, Columns, Parts
from lakeloop.modelling.estimators import NAIVE, own
from lakeloop.modelling.predictor import Predictor
from lakeloop.modelling.spark_trials import parallel
from lakeloop.tables import Table
from lakeloop.tracking import ModelVersion, Tracking, Trial
from lakeloop.version import __version__

MODEL_ARTIFACT = "model"
# What later rows are compared with; see monitoring.
BASELINE_FILE = "monitoring/baseline.json"
TRAINING, PROMOTED = "lakeloop.training", "lakeloop.promoted"


# From the training rows, those of them that were fitted on, the model's columns and the test set's scores (multiclass:
# none), a reference as plain data.
Describe = Callable[[DataFrame, pd.DataFrame, Columns, np.ndarray | None], Mapping[str, Any]]


@dataclass(frozen=True)
class Trained:
    """A model that was trained, or found to be there already.

    ``metrics`` and ``naive`` are of the test set; ``checks`` is what the gate asked; ``promoted`` whether the alias
    champion points to it now.
    """

    version: ModelVersion
    algorithm: str
    metric: str
    metrics: Mapping[str, float]
    naive: Mapping[str, float]
    checks: Sequence[gate.Check]
    promoted: bool
    unchanged: bool
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Data:
    """All that is learnt from: the three parts, and what is known of them."""

    columns: Columns
    classes: list[Any] | None
    boundaries: dataset.Boundaries
    counts: Mapping[str, int]
    search: Parts
    validation: Parts
    refit: Parts
    test: Parts


def training_key(engine: Engine) -> str:
    """What a training depends on: the feature table's version and definition, the model's configuration, the code."""
    settings = engine.lakehouse.settings
    version = engine.lakehouse.last_change(feature_table(settings))
    if version is None:
        raise LakeloopError(f"{feature_table(settings)} is not there yet: run the stage 'features' first.")
    model = settings.pipeline.model
    return settings.fingerprint(version, model, settings.pipeline.gate, __version__)


def existing(engine: Engine, tracking: Tracking) -> Trained | None:
    """The model that was trained from the same inputs, if there is one."""
    run = tracking.trained_on(training_key(engine))
    if run is None:
        return None
    version = next((item for item in tracking.versions() if item.run_id == run.info.run_id), None)
    if version is None:
        return None
    return summary(engine, tracking, version, unchanged=True)


def summary(engine: Engine, tracking: Tracking, version: ModelVersion, unchanged: bool) -> Trained:
    """What the registry and the run of a version say of it."""
    run = tracking.run(version.run_id)
    model = engine.lakehouse.settings.pipeline.model
    found = {name.removeprefix("test_"): v for name, v in run.data.metrics.items() if name.startswith("test_")}
    naive = {
        name.removeprefix("naive_test_"): v for name, v in run.data.metrics.items() if name.startswith("naive_test_")
    }
    champion = tracking.champion()
    return Trained(
        version,
        run.data.params.get("algorithm", ""),
        model.metric,
        found,
        naive,
        (),
        promoted=champion is not None and champion.version == version.version,
        unchanged=unchanged,
    )


def train(
    engine: Engine,
    tracking: Tracking,
    describe: Describe,
    progress: Callable[[int, float | None], None],
    force: bool = False,
    say: Callable[[str], object] = lambda text: None,
) -> Trained:
    """Trains, logs and registers a model, and makes it champion if it passes the gate.

    ``describe`` makes the reference that is kept with the model; ``progress`` is told of the trials, ``say`` where they
    run if it is not on Spark's workers.

    Does nothing where the same inputs, configuration and code were trained on before, but for ``force``.
    """
    started = time.monotonic()
    there = None if force else existing(engine, tracking)
    if there is not None:
        return there
    settings = engine.lakehouse.settings
    pipeline, model = settings.pipeline, settings.pipeline.model
    table = feature_table(settings)
    key = training_key(engine)
    commit = engine.latest(table)
    assert commit is not None
    # Before anything is read: what is wrong with a function is known at once.
    owned = {item.name: own(item, model.kind, model.seed) for item in _algorithms(settings)}
    features = engine.lakehouse.read(table, commit.version)
    rows, data = _data(features, engine)
    task = tuning.Task(model.kind, model.metric, data.columns, data.classes, model.seed, owned)

    import mlflow

    with mlflow.start_run(experiment_id=tracking.experiment(), run_name=f"train {engine.run}") as run:
        run_id = run.info.run_id
        trials = tuning.search(
            engine.lakehouse.spark,
            task,
            data.search,
            data.validation,
            model.algorithm_names(),
            model.search.max_evals,
            model.search.parallelism,
            progress,
            say,
        )
        tracking.log_trials(run_id, trials)
        winner = tuning.best(trials, model.metric)
        predictor = tuning.fit(task, winner.params, data.refit, threads=cpu_count())
        found = metrics.evaluate(model.kind, data.test.truth, predictor.scores(data.test.inputs))
        naive = _naive_metrics(task, data)
        _log_training(engine, tracking, table, commit.version, data, trials, winner, found, naive)
        _log_reference(rows, data, predictor, describe)
        uri = _log_model(predictor, data, settings)
        mlflow.set_tag(TRAINING, key)
        champion = tracking.champion()
        theirs = _champion_metrics(champion, model.kind, data) if champion else None
        checks = gate.decide(pipeline.gate, model.metric, found, naive, theirs, champion is not None)
        passed = all(check.passed for check in checks)
        mlflow.log_dict({"passed": passed, "checks": [vars(check) for check in checks]}, "gate.json")
    version = tracking.register(uri, {TRAINING: key, PROMOTED: str(passed).lower()})
    if passed:
        tracking.crown(version)
    return Trained(
        version,
        str(winner.params["algorithm"]),
        model.metric,
        found,
        naive,
        checks,
        passed,
        False,
        sum(data.counts.values()),
        time.monotonic() - started,
    )


def _data(features: DataFrame, engine: Engine) -> tuple[DataFrame, _Data]:
    pipeline = engine.lakehouse.settings.pipeline
    model = pipeline.model
    columns = dataset.model_columns(features, pipeline)
    labelled = dataset.with_naive(dataset.labelled(features, pipeline), pipeline)
    rows, boundaries = dataset.split(labelled, pipeline)
    counts = dataset.counts(rows)
    codes = dataset.classes(rows, model)
    key = spine_key(pipeline)

    most = model.search.max_rows
    taken = dataset.sample(rows, key, 2 * most, sum(counts.values()), model.seed)
    frame = dataset.to_pandas(taken, columns, key, model.seed)

    def part(names: Sequence[str], most: int) -> Parts:
        return dataset.part(frame, names, most, columns, codes)

    return rows, _Data(
        columns,
        codes,
        boundaries,
        counts,
        search=part([TRAIN], model.search.sample_rows),
        validation=part([VALIDATION], model.search.sample_rows),
        refit=part([TRAIN, VALIDATION], most),
        test=part([TEST], most),
    )


def _naive_metrics(task: tuning.Task, data: _Data) -> dict[str, float]:
    """The naive model's metrics on the test rows: what is mostly so, or for a forecast the last (season's) value."""
    if data.test.naive is None:
        return tuning.fit_and_judge(task, {"algorithm": NAIVE}, data.refit, data.test)
    # Where the series has a gap just there, the mean of what was learnt from.
    said = np.where(np.isnan(data.test.naive), data.refit.truth.mean(), data.test.naive)
    return metrics.evaluate(task.task, data.test.truth, said)


def _champion_metrics(champion: ModelVersion, task: str, data: _Data) -> dict[str, float] | None:
    """The champion's metrics on the same test rows; None where it cannot be judged on them."""
    import mlflow

    try:
        loaded = mlflow.pyfunc.load_model(champion.uri).unwrap_python_model().predictor
        return metrics.evaluate(task, data.test.truth, loaded.scores(data.test.inputs))
    except Exception:
        return None


def _log_training(
    engine: Engine,
    tracking: Tracking,
    table: Table,
    version: int,
    data: _Data,
    trials: Sequence[Trial],
    winner: Trial,
    found: Mapping[str, float],
    naive: Mapping[str, float],
) -> None:
    """Parameters, metrics, configuration, split, seed and the input's Delta version, on the run in progress."""
    import mlflow
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    lakehouse = engine.lakehouse
    pipeline = lakehouse.settings.pipeline
    for name, at in {table: version, **_consumed(engine, table)}.items():
        location = lakehouse.location(name)
        paths = lakehouse.settings.environment.tables_are_paths
        source = DeltaDatasetSource(
            path=location if paths else None,
            delta_table_name=None if paths else location,
            delta_table_version=at,
        )
        mlflow.log_input(MetaDataset(source, name=str(name), digest=f"version-{at}"), context="training")
    mlflow.log_params(
        {**winner.params, "seed": pipeline.model.seed, "trials": len(trials), "task": pipeline.model.task}
    )
    # What the search suggests depends on how many trials run at a time, see tuning.in_order.
    mlflow.log_params({"parallelism": parallel(lakehouse.spark, pipeline.model.search.parallelism)})
    mlflow.log_params({f"rows_{part}": count for part, count in data.counts.items()})
    mlflow.log_params({"validation_from": data.boundaries.validation, "test_from": data.boundaries.test})
    mlflow.log_metrics({f"validation_{name}": value for name, value in winner.metrics.items()})
    mlflow.log_metrics({f"test_{name}": value for name, value in found.items()})
    mlflow.log_metrics({f"naive_test_{name}": value for name, value in naive.items()})
    mlflow.log_dict(pipeline.model_dump(mode="json", by_alias=True), "configuration/pipeline.json")
    for gold, query in lakehouse.settings.queries.items():
        mlflow.log_text(query, f"configuration/gold/{gold}.sql")
    for function in lakehouse.settings.functions.values():
        for file, text in function.sources.items():
            mlflow.log_text(text, f"configuration/python/{file}")
    mlflow.log_dict({"numeric": data.columns.numeric, "categorical": data.columns.categorical}, "columns.json")
    mlflow.set_tags({"lakeloop.version": __version__, "lakeloop.run": engine.run})


def _consumed(engine: Engine, table: Table) -> dict[Table, int]:
    """The versions that the feature table was made from."""
    known = engine.lakehouse.last_progress(table)
    consumed = known[1].get("consumed") if known else None
    return {Table.parse(name): int(version) for name, version in consumed.items()} if isinstance(consumed, dict) else {}


def _log_reference(rows: DataFrame, data: _Data, predictor: Predictor, describe: Describe) -> None:
    """The reference, against which later rows are compared, beside the model."""
    import mlflow

    training = rows.filter(rows[PART].isin(TRAIN, VALIDATION))
    scores = None if predictor.task == "multiclass" else predictor.scores(data.test.inputs)
    mlflow.log_dict(dict(describe(training, data.refit.inputs, data.columns, scores)), BASELINE_FILE)


def _algorithms(settings: Settings) -> list[Function]:
    """The user's own algorithms."""
    return [item for where, item in settings.functions.items() if where.startswith("model.algorithms.")]


def _log_model(predictor: Predictor, data: _Data, settings: Settings) -> str:
    """Logs the model with signature, input example and the code that it needs; returns its URI."""
    import mlflow
    from mlflow.models import infer_signature
    from mlflow.types import ColSpec, DataType, Schema

    import lakeloop
    from lakeloop.modelling.logged import Logged

    example = data.refit.inputs.head(5)
    inputs = [ColSpec(DataType.double, name, required=False) for name in data.columns.numeric]
    inputs += [ColSpec(DataType.string, name, required=False) for name in data.columns.categorical]
    signature = infer_signature(None, predictor.predict(data.refit.inputs.head(1000)))
    signature.inputs = Schema(inputs)
    logged = mlflow.pyfunc.log_model(
        name=MODEL_ARTIFACT,
        python_model=Logged(predictor),
        signature=signature,
        input_example=example,
        code_paths=[str(Path(lakeloop.__file__).parent)],
        pip_requirements=_requirements(predictor, settings),
    )
    return str(logged.model_uri)


def _requirements(predictor: Predictor, settings: Settings) -> list[str]:
    """The packages that scoring needs, at the versions of the training."""
    from importlib.metadata import packages_distributions, version

    names = ["mlflow", "numpy", "pandas", "scikit-learn", "cloudpickle"]
    module = type(predictor.pipeline.steps[-1][1]).__module__.split(".")[0]
    names += [module] if module in ("lightgbm", "xgboost") else []
    there = packages_distributions() if _algorithms(settings) else {}
    for function in _algorithms(settings):
        # What the function's module has from us and from Spark is for the tables, not for the estimator.
        taken = [there[item][0] for item in function.imports if item in there and item not in ("lakeloop", "pyspark")]
        names += [name for name in taken if name not in names]
    return [f"{name}=={version(name)}" for name in names]
