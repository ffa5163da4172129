"""The README's own example is complete: it loads, and every expression in it is right."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from conftest import MakeUseCase

from lakeloop.checking import Check

README = Path(__file__).parents[2] / "README.md"


def test_the_example_is_without_mistake(use_case: MakeUseCase) -> None:
    example = README.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    case = use_case(example)
    source = next(iter(case.settings.pipeline.sources.values()))
    folder = source.path.split("/")[0]
    case.land(f"{folder}/a.csv", "customer_id,tenure,monthly_charges,contract,churn\nA-1,12,29.85,Monthly,Yes\n")

    check = Check(case.spark, case.settings, datetime(2026, 1, 1, tzinfo=timezone.utc)).analyse()

    assert check.problems == []
