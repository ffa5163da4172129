"""Where output goes: a terminal of some width, or a log, in which no column may be cut off."""

from __future__ import annotations

import sys

from rich.console import Console

LOG_WIDTH = 160


def output() -> Console:
    """The standard output. A log has no width of its own, so tables are given LOG_WIDTH columns there."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not terminal, width=None if terminal else LOG_WIDTH)


def errors() -> Console:
    """The standard error: what is no part of the result; its lines are left whole."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
