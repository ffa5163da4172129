"""Small use cases in a folder of their own, for tests that need no Spark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from lakeloop.config import Settings, load
from lakeloop.errors import ConfigurationError, Problem

SHOP = """
pipeline: shop
sources:
  orders:
    path: orders/*.csv
    key: order_id
    columns: {order_id: int, ordered_at: timestamp, amount: double, country: string}
gold:
  sales:
    sql: select * from silver.orders
    key: order_id
    time: ordered_at
features:
  spending:
    entity: country
    from: silver.orders
    time: ordered_at
    windows: [7 days]
    measures: {mean_amount: avg(amount)}
model:
  task: binary
  spine: gold.sales
  label: amount > 100
"""


class Folder:
    """A ``conf`` folder with use cases and environments below it."""

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.env("local", f"root: {conf.parent / 'lakehouse'}")

    def env(self, name: str, text: str) -> Path:
        return self._write(self.conf / "env" / f"{name}.yml", text)

    def pipeline(self, text: str = SHOP, name: str = "shop", **queries: str) -> Path:
        """Writes a pipeline.yml, with .sql files beside it; returns the use case's folder."""
        for query, statement in queries.items():
            self._write(self.conf / name / f"{query}.sql", statement)
        return self._write(self.conf / name / "pipeline.yml", text).parent

    def changed(self, *changes: tuple[str, str], **queries: str) -> Path:
        """The shop with pieces of its text replaced; each piece must be there."""
        text = SHOP
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        return self.pipeline(text, **queries)

    def settings(self, *changes: tuple[str, str]) -> Settings:
        return load(self.changed(*changes))

    def problems(self, folder: Path, env: str = "local", sets: tuple[str, ...] = ()) -> list[Problem]:
        """What is wrong with a use case; the test fails where nothing is."""
        with pytest.raises(ConfigurationError) as caught:
            load(folder, env, sets)
        return caught.value.problems

    @staticmethod
    def _write(file: Path, text: str) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file


@pytest.fixture
def conf(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "conf")


@pytest.fixture
def fake_java(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a ``bin`` folder with a program ``java`` of these shell lines; returns the program."""

    def make(lines: str) -> Path:
        program = tmp_path / "fake" / "bin" / "java"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
        program.chmod(0o755)
        return program

    return make
