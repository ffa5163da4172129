"""The command line: ``lakeloop run conf/<use case>``, one command a stage, and what the jobs call."""

from lakeloop.cli.program import entry, job, main

__all__ = ["entry", "job", "main"]
