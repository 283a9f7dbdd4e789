"""Run the Node scripts in `web/tools/` that build a site."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from pathlib import Path

MAX_OUTPUT_CHARACTERS = 500
"""End of a failed script's output that the error quotes."""


def run_script(script: Path, *arguments: Path) -> None:
    """Run a script and wait until it ends.

    Raises:
        TwinvecError: Node is missing, or the script failed.
    """
    node = shutil.which("node")
    if node is None:
        raise TwinvecError("node is needed and not on the PATH; install Node.js")
    command = [node, str(script), *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        output = (process.stdout + process.stderr).strip()[-MAX_OUTPUT_CHARACTERS:]
        raise TwinvecError(f"{script.name} failed: {output}")
