"""Helpers for the text that commands print."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED_EXIT_CODE = 130
"""The exit code that shells use for Ctrl+C."""


@contextmanager
def exit_on_interrupt(message: str) -> Iterator[None]:
    """Turn Ctrl+C into a message on standard error and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(message, err=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None


def plural(number: int, noun: str) -> str:
    """Format a number with its noun: "1 file", "1,024 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first_lines(unit: str, lines: list[int], limit: int = 5) -> str:
    """List the first numbers of lines: "line 2, 3, 4, 5, 6, ..."."""
    more = ", ..." if len(lines) > limit else ""
    return f"{unit} {', '.join(map(str, lines[:limit]))}{more}"
