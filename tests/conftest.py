"""One local Spark session for all tests, and small use cases on it, each with a root of its own.

With ``--connect`` the session is a client of Spark Connect, as on serverless Databricks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from pyspark.sql import DataFrame, SparkSession
from quick_spark import SPARK

from lakeloop.config import Settings, load
from lakeloop.derive import Engine
from lakeloop.session import session
from lakeloop.tables import Lakehouse, Table

pytest_plugins = ["small_lakehouse"]

# Spark hands timestamps to Python as local times; tests compare them with literals.
os.environ["TZ"] = "UTC"
time.tzset()

# An example takes Spark half a minute, so a test that makes examples has a literal one for `make test`; `make soak`
# makes LAKELOOP_EXAMPLES more, others each time, and does not look for a smaller one where one fails.
LONG: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("few", phases=[Phase.explicit], derandomize=True, **LONG)
settings.register_profile(
    "many",
    phases=[Phase.explicit, Phase.generate],
    max_examples=int(os.environ.get("LAKELOOP_EXAMPLES", 40)),
    print_blob=True,
    **LONG,
)

# A use case must name a source and a model; tests of other things need not.
SOURCES = {"things": {"path": "things/*.csv", "key": "id", "columns": {"id": "int"}}}


@dataclass(frozen=True)
class UseCase:
    """A use case in a folder of its own, with what a test does to it."""

    spark: SparkSession
    settings: Settings

    @property
    def lakehouse(self) -> Lakehouse:
        return Lakehouse(self.spark, self.settings)

    def engine(self, rebuild: bool = False, run: str = "test") -> Engine:
        """A new run: it knows of the tables only what is in them."""
        return Engine(self.lakehouse, run, rebuild)

    def land(self, path: str, text: str, modified: datetime | None = None) -> Path:
        """Puts a raw file below the landing root, dated where a date is given."""
        file = Path(self.settings.resolve("{landing}")) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if modified is not None:
            os.utime(file, (modified.timestamp(), modified.timestamp()))
        return file

    def write(self, table: str, rows: list[tuple[Any, ...]], schema: str) -> None:
        """Makes a table of literal rows, as someone else would have."""
        frame = self.spark.createDataFrame(rows, schema)
        self.lakehouse.create(Table.parse(table), frame, {"run": "by hand"})

    def append(self, table: str, rows: list[tuple[Any, ...]], schema: str) -> None:
        """Adds literal rows to a table."""
        self.lakehouse.append(Table.parse(table), self.spark.createDataFrame(rows, schema), {"run": "by hand"})

    def sql(self, statement: str) -> DataFrame:
        """A statement in which ``{layer.name}`` stands for a table."""
        words = statement.split("{")
        parts = [words[0]]
        for word in words[1:]:
            table, _, rest = word.partition("}")
            parts += [self.lakehouse.identifier(Table.parse(table)), rest]
        return self.spark.sql("".join(parts))

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """A table's rows as tuples, in the order of their text."""
        frame = self.lakehouse.read(Table.parse(table))
        return tuples(frame.selectExpr(*columns) if columns else frame)

    def version(self, table: str) -> int:
        """The table's newest version."""
        commit = self.lakehouse.latest(Table.parse(table))
        assert commit is not None
        return commit.version


MakeUseCase = Callable[..., UseCase]


# Tests that use something that is made once go to one process, where several share the tests: the small lakehouse, the
# use cases' MLflow database, the tables of a file. All others are shared out one by one.
TOGETHER = {
    "e2e/test_loop.py": "small lakehouse",
    "notebooks/test_notebooks.py": "small lakehouse",
    "e2e/test_use_cases.py": "use cases",
    "spark/test_profile.py": "profile",
    "spark/test_drift.py": "drift",
    "bundle/test_bundle.py": "bundle",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--connect", action="store_true", help="the tests' Spark session is a client of Spark Connect")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot be on Spark Connect, where the tests run on it; each says why."""
    if config.getoption("--connect"):
        for item in items:
            for mark in item.iter_markers("classic"):
                item.add_marker(pytest.mark.skip(reason=f"not on Spark Connect: {mark.args[0]}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How `make test` shares the tests between its processes."""
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return next((group for name, group in TOGETHER.items() if file.endswith(name)), nodeid)

    return Sharing(config, log)


def tuples(frame: DataFrame) -> list[tuple[Any, ...]]:
    """All rows as plain tuples, in the order of their text."""
    return sorted((tuple(row) for row in frame.collect()), key=repr)


def _write_use_case(folder: Path, configuration: str, files: dict[str, str], root: Path, connect: bool) -> Settings:
    data = yaml.safe_load(dedent(configuration)) or {}
    data = {"pipeline": "shop", "sources": SOURCES, **data}
    source = next(iter(data["sources"]))
    model = {"task": "binary", "spine": f"silver.{source}", "label": "true", "split": {"by": "random"}}
    data = {"model": model, **data}
    # `make test` has a process for each of two cores, and a second task at once would want Python processes of its own.
    where = {"remote": "local[2]"} if connect else {"master": "local[1]"}
    environment = {"root": str(root), **where, "spark": SPARK}
    home = folder / data["pipeline"]
    for file, text in {
        home / "pipeline.yml": yaml.safe_dump(data, sort_keys=False),
        folder / "env" / "local.yml": yaml.safe_dump(environment),
        **{home / name: text for name, text in files.items()},
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return load(home)


@pytest.fixture(scope="session")
def connect(pytestconfig: pytest.Config) -> bool:
    """Whether the tests run on Spark Connect."""
    return bool(pytestconfig.getoption("--connect"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, connect: bool) -> Iterator[SparkSession]:
    """The one session, made as the package makes it, with settings for small data."""
    folder = tmp_path_factory.mktemp("session")
    made = session(_write_use_case(folder / "conf", "", {}, folder / "root", connect))
    yield made
    made.stop()


@pytest.fixture
def compiling(spark: SparkSession, connect: bool) -> SparkSession:
    """A session that makes Java code for a whole stage; the tests' own does not."""
    if connect:
        pytest.skip("a client of Spark Connect does not see what Java does")
    session = spark.newSession()
    session.conf.set("spark.sql.codegen.wholeStage", "true")
    session.conf.set("spark.sql.codegen.factoryMode", "FALLBACK")
    # A plan that changes while it runs has no code before.
    session.conf.set("spark.sql.adaptive.enabled", "false")
    return session


@pytest.fixture
def use_case(spark: SparkSession, tmp_path: Path, connect: bool) -> MakeUseCase:
    """Makes a use case of a pipeline.yml (as text, the model may be left out) and files beside it: .sql where a name
    has no ending."""

    def make(configuration: str = "", **files: str) -> UseCase:
        named = {name if "." in name else f"{name}.sql": text for name, text in files.items()}
        return UseCase(spark, _write_use_case(tmp_path / "conf", configuration, named, tmp_path / "root", connect))

    return make
