"""Processes that end with their owner."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GUARD = Path(__file__).with_name("guard.py")


class GuardedProcess:
    """A command whose processes all end on `close`, or when this process dies.

    ::

        with closing(GuardedProcess(["geckodriver", "--port", "4444"], log=Path("log"))):
            ...

    Args:
        command: program and arguments.
        log: file for what it prints.
        environment: its variables; None for those of this process.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        with log.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, GUARD, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl+C in a terminal reaches the owner only
            )

    def close(self) -> None:
        """End the command and every process that it started."""
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait()


def free_port() -> int:
    """Return a port of this computer that no program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
