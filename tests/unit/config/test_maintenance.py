"""The policy of maintenance: what it may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lakeloop.config.maintenance import Maintenance
from lakeloop.maintenance import retention_properties

from ..conftest import Folder


def test_the_log_reaches_back_as_far_as_the_files() -> None:
    assert retention_properties(Maintenance(retention="2 weeks")) == {
        "delta.deletedFileRetentionDuration": "interval 14 days",
        "delta.logRetentionDuration": "interval 14 days",
    }


@pytest.mark.parametrize("retention", ["6 days", "1 hour", "200 hours"])
def test_files_that_a_run_may_use_are_kept(retention: str) -> None:
    with pytest.raises(ValidationError, match="7 days or more, in whole days"):
        Maintenance(retention=retention)


@pytest.mark.parametrize("section", ["z_order", "statistics"])
def test_a_table_of_the_policy_must_be_there(conf: Folder, section: str) -> None:
    settings = (f"maintenance.{section}={{silver.order: [id]}}",)
    [problem] = conf.problems(conf.pipeline(), sets=settings)
    assert (problem.where, problem.found, problem.hint) == (
        f"maintenance.{section}",
        "silver.order",
        "did you mean 'silver.orders'?",
    )
