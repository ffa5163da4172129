"""A user's mistake at the command line gives the promised exit code and words, never a traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lakeloop import cli
from lakeloop.errors import DataError, GateRefused, LakeloopError, MachineError
from lakeloop.version import __version__

from .conftest import SHOP, Folder

COMMANDS = [
    "run",
    "bronze",
    "silver",
    "gold",
    "features",
    "train",
    "score",
    "monitor",
    "land",
    "check",
    "status",
    "audit",
    "lineage",
    "plan",
    "ui",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there_is_a_mistake_in_the_configuration(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, str(tmp_path / "nowhere")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "nowhere/pipeline.yml" in err
    assert "no such file" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["show", "replay"])
def test_a_source_that_is_not_there_is_answered_with_the_nearest(
    command: str, conf: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["quarantine", command, str(conf.pipeline()), "order"]) == 2
    assert "did you mean 'orders'?" in capfd.readouterr().err


def test_the_process_tells_a_mistake_before_it_loads_spark_or_mlflow(tmp_path: Path) -> None:
    code = """
import sys
from lakeloop.cli import main
code = main(["run", sys.argv[1]])
print([name for name in ("pyspark", "mlflow") if name in sys.modules])
sys.exit(code)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [["run", "conf", "--fast"], ["run"], ["fly", "conf"], ["ui", "conf", "--port", "many"]],
    ids=["unknown option", "no folder", "unknown command", "no number"],
)
def test_a_wrong_command_line_is_told_in_words(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    err = capfd.readouterr().err
    assert err.startswith("error ")
    assert "Traceback" not in err


def test_square_brackets_of_a_value_are_told_as_they_are(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder = conf.changed(("task: binary", "task: '[red]'"))
    assert cli.main(["run", str(folder)]) == 2
    assert "found:    '[red]'" in capfd.readouterr().err


def test_overrides_reach_the_configuration(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", str(conf.pipeline()), "--set", "model.task=guess", "-s", "gold=1"]) == 2
    err = capfd.readouterr().err
    assert "model.task" in err
    assert "2 problems" in err


def test_debug_shows_what_lies_behind_an_error(tmp_path: Path) -> None:
    with pytest.raises(LakeloopError):
        cli.main(["run", str(tmp_path / "nowhere"), "--debug"])


def test_the_version_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out == f"lakeloop {__version__}\n"


def test_a_taken_port_is_told_before_mlflow_is_started(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["ui", str(conf.pipeline()), "--port", str(port)]) == 4
    out, err = capfd.readouterr()
    assert out == ""
    assert f"Port {port} is taken by another program" in err
    assert "Traceback" not in err


def test_a_port_that_there_cannot_be_is_refused(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ui", str(conf.pipeline()), "--port", "70000"]) == 2
    assert "70000" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(LakeloopError("so"), 1), (GateRefused("so"), 3), (MachineError("so"), 4), (DataError("so"), 5)],
)
def test_each_kind_of_error_has_its_exit_code(
    error: LakeloopError,
    code: int,
    conf: Folder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("lakeloop.landing.land", fail)
    assert cli.main(["land", str(conf.pipeline())]) == code
    assert capfd.readouterr().err == "error so\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, os.strerror(28)), "The disk is full."),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "The disk is full."),
        (PermissionError(13, "Permission denied", "/lake/x"), "/lake/x cannot be read or written: Permission denied."),
    ],
)
def test_what_the_machine_lacks_is_told_in_words(
    error: Exception,
    words: str,
    conf: Folder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("lakeloop.landing.land", fail)
    assert cli.main(["land", str(conf.pipeline())]) == 4
    found = capfd.readouterr().err
    assert words in found and "Traceback" not in found


def test_landing_passes_options_on_and_tells_the_count(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder = conf.pipeline()
    (folder / "land.py").write_text("def land(root, days='1'): return int(days) * 1000\n", encoding="utf-8")
    assert cli.main(["land", str(folder), "--option", "days=2"]) == 0
    assert "landed 2,000 new files" in " ".join(capfd.readouterr().out.split())


def test_an_option_for_landing_without_a_value_is_a_mistake(conf: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder = conf.pipeline()
    (folder / "land.py").write_text("def land(root, **options): return 0\n", encoding="utf-8")
    assert cli.main(["land", str(folder), "--option", "days"]) == 2
    assert "days" in capfd.readouterr().err


def test_a_description_that_looks_like_markup_stops_no_run(
    conf: Folder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        raise MachineError("No Java was found.")

    monkeypatch.setattr("lakeloop.session.session", fail)
    folder = conf.pipeline(SHOP + "description: Is it late [/soon]?\n")
    assert cli.main(["run", str(folder)]) == 4
    out, err = capfd.readouterr()
    assert "Is it late [/soon]?" in out
    assert err == "error No Java was found.\n"


def test_init_overwrites_nothing_and_tells_a_name_that_cannot_be(
    conf: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = conf.pipeline()
    before = (folder / "pipeline.yml").read_text(encoding="utf-8")
    assert cli.main(["init", "shop", "--from", "x.csv", "--conf", str(conf.conf)]) == 1
    assert "is there already and is not overwritten" in capfd.readouterr().err
    assert (folder / "pipeline.yml").read_text(encoding="utf-8") == before
    assert cli.main(["init", "My Shop", "--from", "x.csv", "--conf", str(conf.conf)]) == 1
    assert "such as my_shop" in capfd.readouterr().err


def test_init_tells_files_that_are_not_there_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["init", "shop", "--from", str(tmp_path / "none.csv"), "--conf", str(tmp_path / "conf")]) == 5
    assert "there is no such file" in capfd.readouterr().err
    assert not (tmp_path / "conf").exists()


@pytest.mark.parametrize(("options", "key"), [([], "sources"), (["--environment"], "tables")])
def test_the_schema_is_printed_as_json_alone(options: list[str], key: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", *options]) == 0
    assert key in json.loads(capfd.readouterr().out)["properties"]
