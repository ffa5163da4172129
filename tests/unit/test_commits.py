"""The commits of a table, read from its folder."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lakeloop.commits import Commit, in_folder


def test_a_folder_without_commits_is_no_table(tmp_path: Path) -> None:
    assert in_folder(tmp_path / "none") == []
    log = tmp_path / "begun" / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000000.json.1.tmp").write_text("half")
    assert in_folder(log.parent) == []


def test_a_commit_of_others_may_say_little(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    (log / f"{7:020}.json").write_text('{"add": {"path": "commitInfo"}}\n{"commitInfo": {"timestamp": 1000}}\n')
    (log / f"{8:020}.json").write_text(json.dumps({"remove": {"path": "a"}}))
    (log / f"{8:020}.crc").write_text("{}")
    second = datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
    assert in_folder(tmp_path, limit=5) == [
        Commit(8, "", {}, None, second - timedelta(seconds=1)),
        Commit(7, "", {}, None, second),
    ]


def test_a_commit_that_is_cleaned_up_meanwhile_is_none(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    (log / f"{7:020}.json").symlink_to(log / "gone")
    (log / f"{8:020}.json").write_text('{"commitInfo": {"operation": "WRITE"}}')
    assert [(commit.version, commit.operation) for commit in in_folder(tmp_path)] == [(8, "WRITE")]
