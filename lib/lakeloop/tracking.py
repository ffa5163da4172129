"""The only door to MLflow: experiments, runs, registered models and their aliases."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeloop.config import Settings
from lakeloop.errors import LakeloopError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CHAMPION = "champion"


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry; ``uri`` loads just it, whatever becomes of the alias."""

    name: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Trial:
    """One finished trial of the search, times in milliseconds since 1970."""

    number: int
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    failed: bool
    started: int
    ended: int


class Tracking:
    """One use case's experiment and registered model."""

    def __init__(self, settings: Settings) -> None:
        import mlflow

        self.settings = settings
        self.uri = settings.resolve(settings.environment.tracking_uri)
        self.model = settings.resolve(settings.environment.model)
        if self.uri.startswith("sqlite:///"):
            Path(self.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        mlflow.set_tracking_uri(self.uri)
        self.registry_uri = settings.resolve(settings.environment.registry_uri) or self.uri
        mlflow.set_registry_uri(self.registry_uri)
        self._mlflow = mlflow

    @property
    def client(self) -> MlflowClient:
        return self._mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.registry_uri)

    def experiment(self) -> str:
        """The experiment's id; it is made where it is not there."""
        name = self.settings.resolve(self.settings.environment.experiment)
        known = self._known_experiment()
        if known is not None:
            return known
        folder = self.settings.resolve(self.settings.environment.artifacts)
        location = f"{Path(folder).absolute().as_uri()}/{name}" if folder and "://" not in folder else None
        return str(self.client.create_experiment(name, artifact_location=location))

    def _known_experiment(self) -> str | None:
        """The experiment's id where it is there: looking makes nothing."""
        found = self.client.get_experiment_by_name(self.settings.resolve(self.settings.environment.experiment))
        return None if found is None else str(found.experiment_id)

    def champion(self) -> ModelVersion | None:
        """The version that the alias ``champion`` points to."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_model_version_by_alias(self.model, CHAMPION)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise LakeloopError(f"The model registry at {self.registry_uri} cannot be asked: {error}") from error
        return _version(found)

    def versions(self) -> list[ModelVersion]:
        """All versions of the registered model, newest first."""
        found = self.client.search_model_versions(f"name = '{self.model}'")
        versions = [self.client.get_model_version(self.model, str(item.version)) for item in found]
        return sorted((_version(item) for item in versions), key=lambda item: -int(item.version))

    def trained_on(self, key: str) -> Run | None:
        """The finished parent run of a training that had the same inputs, configuration and code."""
        known = self._known_experiment()
        if known is None:
            return None
        wanted = f"tags.`lakeloop.training` = '{key}' and attributes.status = 'FINISHED'"
        found = self.client.search_runs([known], wanted, max_results=1)
        return found[0] if found else None

    def last_trainings(self, most: int) -> list[Run]:
        """The newest parent runs, newest first."""
        known = self._known_experiment()
        if known is None:
            return []
        newest = ["attributes.start_time DESC"]
        found = self.client.search_runs([known], "tags.`lakeloop.run` != ''", order_by=newest, max_results=most)
        return list(found)

    def run(self, run_id: str) -> Run:
        return self.client.get_run(run_id)

    def log_trials(self, parent: str, trials: Sequence[Trial]) -> None:
        """A child run a trial, with its own times; params, metrics and outcome."""
        from mlflow.entities import Metric, Param

        experiment = self.experiment()
        for trial in trials:
            child = self.client.create_run(
                experiment,
                start_time=trial.started,
                run_name=f"trial {trial.number:02d} {trial.params.get('algorithm', '')}",
                tags={"mlflow.parentRunId": parent},
            )
            run_id = child.info.run_id
            metrics = [Metric(name, value, trial.ended, 0) for name, value in trial.metrics.items()]
            params = [Param(name, str(value)) for name, value in trial.params.items()]
            self.client.log_batch(run_id, metrics=metrics, params=params)
            self.client.set_terminated(run_id, "FAILED" if trial.failed else "FINISHED", end_time=trial.ended)

    def register(self, model_uri: str, tags: Mapping[str, str]) -> ModelVersion:
        """A new version of the registered model from what a run has logged."""
        with redirect_stderr(StringIO()):
            made = self._mlflow.register_model(model_uri, self.model, tags=dict(tags))
        return _version(made)

    def crown(self, version: ModelVersion) -> None:
        """Points the alias ``champion`` to ``version``."""
        self.client.set_registered_model_alias(self.model, CHAMPION, version.version)


def _version(found: Any) -> ModelVersion:
    return ModelVersion(
        found.name, str(found.version), found.run_id, tuple(found.aliases or ()), dict(found.tags or {})
    )
