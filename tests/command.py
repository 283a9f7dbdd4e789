"""Run the `twinvec` command in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from twinvec.cli import main


def twinvec(*arguments: str | Path, **options: Any) -> Result:
    """Run a command; `options` are those of `CliRunner.invoke`."""
    return CliRunner().invoke(main, list(map(str, arguments)), **options)


def report_of(answer: Result) -> Any:
    """Parse the output of a command that was called with `--json`."""
    assert answer.exit_code in (0, 1), answer.output
    return json.loads(answer.stdout)
