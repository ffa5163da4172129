"""The notebooks are clean files, find their project themselves, and show a lakehouse without changing it."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from lakeloop.config import load

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
NAMES = ("explore", "monitor", "train_and_compare")

# What a training and a monitored month leave behind decides how many plots there are: none is optional.
PLOTS = {
    "explore": ["days", "label-by-day", "label-by-group", "missing"],
    "train_and_compare": ["trials-plot", "test-plot", "importance", "calibration"],
    "monitor": ["drift-map", "drift-lines", "quality-plot"],
}


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_folder_holds_these_notebooks_and_no_other() -> None:
    assert sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_and_each_cell_has_an_id_of_its_own(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_what_a_run_leaves_in_it(name: str) -> None:
    cells = code_cells(read(name))
    assert cells
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_no_column_of_the_use_case(name: str) -> None:
    """Columns come from the configuration, so that the notebook serves every use case."""
    pipeline = load(ROOT / "conf" / "flights").pipeline
    columns = {column for source in pipeline.sources.values() for column in source.columns}
    columns |= {
        f"{layer}.{table}" for layer in ("silver", "gold") for table in (*pipeline.sources, *pipeline.gold)
    }
    texts = {
        node.value
        for cell in code_cells(read(name))
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert texts & columns == set()


@pytest.mark.parametrize("folder", [ROOT, NOTEBOOKS], ids=["project", "notebooks"])
@pytest.mark.parametrize("name", NAMES)
def test_without_settings_a_notebook_reads_what_make_run_at_the_projects_root_made(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LAKELOOP_CONF", "LAKELOOP_ENV", "LAKELOOP_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(folder)
    settings = settings_of(name)
    assert settings.pipeline.pipeline == "flights"
    assert settings.environment.name == "local"
    assert settings.resolve("{root}") == str(ROOT / "lakehouse")


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_says_which_use_case_where_and_at_what_root(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKELOOP_CONF", str(ROOT / "conf" / "flights"))
    monkeypatch.setenv("LAKELOOP_ENV", "dev")
    monkeypatch.setenv("LAKELOOP_ROOT", str(tmp_path))
    settings = settings_of(name)
    assert settings.environment.name == "dev"
    assert settings.environment.root == str(tmp_path)


def settings_of(name: str) -> object:
    """Runs the first code cell as far as the settings; what follows starts Spark."""
    lines = []
    for statement in ast.parse(code_cells(read(name))[0].source).body:
        lines.append(statement)
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "settings":
            break
    else:
        raise AssertionError(f"the first code cell of {name} assigns no settings")
    names: dict[str, object] = {}
    exec(compile(ast.Module(lines, []), f"{name}.ipynb", "exec"), names)  # the project's own notebook
    return names["settings"]


@pytest.fixture(scope="module")
def kernel(small_lakehouse: Path) -> Iterator[KernelManager]:
    """A process of its own with this interpreter, for one notebook after the other: Spark starts once."""

    class ThisInterpreter(KernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    # Else the kernel's Spark would look for the Java process of the tests.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_GATEWAY", "SPARK_REMOTE"))}
    given = {
        "LAKELOOP_CONF": str(small_lakehouse / "conf" / "flights"),
        "LAKELOOP_ENV": "local",
        "LAKELOOP_ROOT": str(small_lakehouse),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    manager = ThisInterpreter()
    manager.start_kernel(env={**inherited, **given}, cwd=str(NOTEBOOKS))
    yield manager
    manager.shutdown_kernel(now=True)


def executed(name: str, kernel: KernelManager) -> nbformat.NotebookNode:
    """The notebook after a run, in which it found no name of an earlier one."""
    notebook = read(name)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    NotebookClient(notebook, timeout=600, km=kernel).execute()
    del notebook.cells[0]
    return notebook


def data_files(root: Path) -> dict[str, int]:
    """The files of the tables below ``root`` with their sizes."""
    return {
        str(file.relative_to(root)): file.stat().st_size
        for file in (root / "flights").rglob("*")
        if file.is_file() and not file.name.endswith(".crc")
    }


def printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(
        output.text for output in outputs if output.output_type == "stream" and output.name == "stdout"
    )


def plotted(notebook: nbformat.NotebookNode) -> list[str]:
    """The cells that made a plot."""
    return [
        cell.id
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "display_data" and "image/png" in output.data
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_the_lakehouse_it_is_told_and_changes_none_of_its_tables(
    name: str, small_lakehouse: Path, kernel: KernelManager
) -> None:
    before = data_files(small_lakehouse)
    assert before
    notebook = executed(name, kernel)
    assert str(small_lakehouse) in printed(notebook)
    assert [cell for cell in plotted(notebook) if cell in PLOTS[name]] == PLOTS[name]
    assert data_files(small_lakehouse) == before
