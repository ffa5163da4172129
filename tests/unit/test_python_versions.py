"""Lakeloop says which Pythons it runs on before anything is installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parents[2]


def a_python_of(version: str, folder: Path) -> Path:
    """A program that answers the Makefile's `python -c …` as a Python of that version would."""
    program = folder / "python"
    info = tuple(int(part) for part in version.split("."))
    program.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; sys.version_info = {info}; $1"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("version", "what"), [("3.9.18", "is too old"), ("3.13.0", "is too new")])
def test_make_refuses_a_python_without_wheels(version: str, what: str, tmp_path: Path) -> None:
    python = a_python_of(version, tmp_path)
    made = subprocess.run(
        ["make", "-s", "-C", tmp_path, "-f", PROJECT / "Makefile", ".venv/bin/python", f"PYTHON={python}"],
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert f"{python} {what}" in made.stdout
    assert "3.10, 3.11 or 3.12" in made.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("version", ["3.10.0", "3.12.9"])
def test_make_goes_on_to_the_environment_with_these(version: str, tmp_path: Path) -> None:
    python = a_python_of(version, tmp_path)
    made = subprocess.run(
        ["make", "-s", "-C", tmp_path, "-f", PROJECT / "Makefile", ".venv/bin/python", f"PYTHON={python}"],
        capture_output=True,
        text=True,
    )
    assert "cannot make an environment" in made.stdout  # this Python can do nothing else


def test_pip_refuses_the_same() -> None:
    asked = next(line for line in (PROJECT / "setup.py").read_text().splitlines() if "python_requires" in line)
    allowed = SpecifierSet(asked.split('"')[1])
    assert [v for v in ("3.9", "3.10", "3.11", "3.12", "3.13", "4.0") if v in allowed] == ["3.10", "3.11", "3.12"]
