"""A use case's land.py puts its raw files below the landing root; what goes wrong is told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeloop.config import Settings, load
from lakeloop.errors import LakeloopError, MachineError
from lakeloop.landing import land

from .conftest import Folder


def _settings(conf: Folder, code: str | None) -> Settings:
    folder = conf.pipeline()
    if code is not None:
        (folder / "land.py").write_text(code, encoding="utf-8")
    return load(folder)


def test_land_is_called_with_the_landing_root_and_the_options(conf: Folder, tmp_path: Path) -> None:
    code = """
def land(root, days="1"):
    root.mkdir(parents=True)
    (root / "orders.csv").write_text(f"days {days}")
    return 3
"""
    assert land(_settings(conf, code), days="7") == 3
    assert (tmp_path / "lakehouse" / "landing" / "orders.csv").read_text(encoding="utf-8") == "days 7"


def test_a_use_case_without_land_is_told_where_its_files_belong(conf: Folder, tmp_path: Path) -> None:
    with pytest.raises(LakeloopError) as caught:
        land(_settings(conf, None))
    assert "has no land.py" in str(caught.value)
    assert str(tmp_path / "lakehouse" / "landing") in str(caught.value)


@pytest.mark.parametrize("inside", [True, False], ids=["in the function", "at the top"])
def test_a_package_that_is_not_installed_is_named(inside: bool, conf: Folder) -> None:
    line = "import no_such_package_of_data"
    code = f"def land(root):\n    {line}\n" if inside else f"{line}\ndef land(root): return 0\n"
    with pytest.raises(LakeloopError, match="needs the package 'no_such_package_of_data': install it"):
        land(_settings(conf, code))


def test_a_root_that_cannot_be_written_is_a_fault_of_the_machine(conf: Folder, tmp_path: Path) -> None:
    (tmp_path / "lakehouse").write_text("a file", encoding="utf-8")
    code = "def land(root):\n    (root / 'x').mkdir(parents=True)\n"
    with pytest.raises(MachineError, match=f"{tmp_path / 'lakehouse'}.* cannot be written: "):
        land(_settings(conf, code))


def test_a_network_that_is_not_there_is_not_blamed_on_the_disk(conf: Folder) -> None:
    code = "from urllib.error import URLError\ndef land(root):\n    raise URLError('name is not known')\n"
    with pytest.raises(MachineError) as caught:
        land(_settings(conf, code))
    assert "name is not known" in str(caught.value)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize("code", ["x = 1\n", "def land(root): return 0\n"], ids=["no function", "no such option"])
def test_a_land_that_cannot_be_called_is_told(code: str, conf: Folder) -> None:
    with pytest.raises(LakeloopError, match=r"land\.py"):
        land(_settings(conf, code), days="7")
