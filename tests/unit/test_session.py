"""Before Spark is started the machine is looked at: a Java that Spark can use, and room on the disk."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeloop.errors import MachineError
from lakeloop.session import _check_java, _check_space

FakeJava = Callable[[str], Path]
Usage = namedtuple("Usage", "total used free")


def _says(version: str) -> str:
    return f"echo '{version}' >&2"


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which there is no Java before a test brings one."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "fake" / "bin"))


def test_no_java_is_told_with_what_to_do() -> None:
    with pytest.raises(
        MachineError, match=r"^No Java was found\. Spark needs Java 17 or 21: install one, or set JAVA_HOME"
    ):
        _check_java()


@pytest.mark.parametrize(
    "version",
    [
        'openjdk version "17.0.12" 2024-07-16',
        'openjdk version "21" 2023-09-19',
        'java version "17-ea" 2021-09-14',
    ],
)
def test_a_java_that_spark_can_use_is_taken_from_the_path(version: str, fake_java: FakeJava) -> None:
    program = fake_java(_says(version))
    assert _check_java() == str(program)


@pytest.mark.parametrize(
    ("version", "major"), [('openjdk version "11.0.24" 2024-07-16', 11), ('java version "1.8.0_392"', 8)]
)
def test_a_java_that_is_too_old_is_named(version: str, major: int, fake_java: FakeJava) -> None:
    program = fake_java(_says(version))
    with pytest.raises(MachineError) as caught:
        _check_java()
    assert str(caught.value).startswith(f"{program} is Java {major}. Spark needs Java 17")


def test_a_java_that_tells_no_version_is_refused(fake_java: FakeJava) -> None:
    fake_java(_says("The operation could not be completed. Unable to locate a Java Runtime."))
    with pytest.raises(MachineError, match="does not tell its version"):
        _check_java()


def test_a_java_home_without_java_is_named(
    tmp_path: Path, fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_java(_says('openjdk version "17.0.12"'))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(MachineError) as caught:
        _check_java()
    assert str(caught.value).startswith(f"No Java was found in JAVA_HOME ({tmp_path / 'gone'}). ")


def test_java_home_goes_before_the_path(tmp_path: Path, fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_java(_says('openjdk version "17.0.12"'))
    monkeypatch.setenv("JAVA_HOME", str(program.parents[1]))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _check_java() == str(program)


def test_a_java_that_cannot_be_started_is_told(
    tmp_path: Path, fake_java: FakeJava, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_java("")
    program.write_bytes(b"\x00not a program")
    monkeypatch.setenv("JAVA_HOME", str(program.parents[1]))
    with pytest.raises(MachineError, match="cannot be started"):
        _check_java()


def test_a_disk_that_is_all_but_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 1 << 40, 300 << 20))
    with pytest.raises(MachineError) as caught:
        _check_space(tmp_path)
    assert str(caught.value).startswith(f"Only 300 MB are free where {tmp_path} is; a run needs 1 GB.")
    assert "--set environment.root=" in str(caught.value)


def test_a_disk_with_just_enough_room_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 1 << 30))
    _check_space(tmp_path / "new" / "root")
    assert os.listdir(tmp_path / "new") == ["root"]


def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MachineError, match="cannot be made: Not a directory"):
        _check_space(tmp_path / "file" / "root")
