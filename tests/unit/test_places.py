"""Where nothing is at a source's path, what is near it is told."""

from __future__ import annotations

from pathlib import Path

from lakeloop.config.sources import Source
from lakeloop.places import advice


def told(path: str, landing: Path) -> str:
    return advice(Source(path=path), path if path.startswith("/") else f"{landing}/{path}")


def test_a_misspelt_folder_gets_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "wages").mkdir()
    (tmp_path / "wages" / "men.csv").touch()
    assert told("wage/*.csv", tmp_path) == (
        "Put raw files there, or correct the path (it is taken below the environment's landing root). "
        f"Did you mean {tmp_path}/wages?"
    )
    assert told(f"{tmp_path}/wages/man.csv", tmp_path) == (
        f"Put raw files there, or correct the path. Did you mean {tmp_path}/wages/men.csv?"
    )


def test_a_pattern_that_finds_nothing_gets_what_is_there(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet", ".hidden", "_SUCCESS"):
        (tmp_path / name).touch()
    assert told("*.csv", tmp_path).endswith(f"landing root). {tmp_path} has a.parquet, b.parquet.")


def test_nothing_is_said_of_what_is_not_on_this_machine(tmp_path: Path) -> None:
    assert told("customers/*.csv", tmp_path).endswith("landing root).")
    assert advice(Source(path="s3://bucket/x"), "s3://bucket/x") == "Put raw files there, or correct the path."
