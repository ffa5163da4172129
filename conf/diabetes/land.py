"""Lands the raw data of the example: 442 patients, from scikit-learn's data sets (Efron and others, 2004)."""

from __future__ import annotations

import os
from pathlib import Path

from sklearn.datasets import load_diabetes


def land(root: Path) -> int:
    """Writes patients.jsonl below ``root`` where it is not there yet; returns how many files were written."""
    file = root / "diabetes" / "patients.jsonl"
    if file.exists():
        return 0
    rows = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    rows.insert(0, "patient", [f"P{number:03d}" for number in range(1, len(rows) + 1)])
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    rows.to_json(part, orient="records", lines=True)
    os.replace(part, file)
    return 1
