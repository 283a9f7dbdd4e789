"""Options that several verbs have."""

from __future__ import annotations

import click

__all__ = ["as_json"]

as_json = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")
