"""What several verbs have."""

from __future__ import annotations

import click

__all__ = ["INTERRUPTED", "as_json", "plural"]

INTERRUPTED = 130
"""The exit code that a shell gives for Ctrl+C."""

as_json = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")


def plural(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
