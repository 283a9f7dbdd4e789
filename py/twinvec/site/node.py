"""Run the scripts in `web/` that building a site needs, with the Node that npm came with."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_script"]


def run_script(script: Path, *arguments: Path) -> None:
    """Run one to its end.

    Raises:
        TwinvecError: Node is missing, or the script failed.
    """
    node = shutil.which("node")
    if node is None:
        raise TwinvecError("node is needed and not on the PATH; install Node.js")
    command = [node, str(script), *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        said = (answer.stdout + answer.stderr).strip()[-500:]
        raise TwinvecError(f"{script.name} failed: {said}")
