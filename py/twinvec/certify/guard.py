"""Run a command until standard input ends, then end every process that it started.

A program of its own: `python guard.py COMMAND ...`. Standard input is a pipe that the owner holds
open. It ends when the owner closes it and also when the owner is killed, so nothing is left behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SECONDS_TO_END = 1
"""Time that processes have to end by themselves before they are killed."""

PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> None:
    """Run the command, and wait for the end of standard input."""
    if sys.platform == "linux":  # adopt orphans: browsers leave process groups and sessions
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    # The command has a group of its own, for systems without a list of children.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    sys.stdin.read()
    end_all(process.pid, signal.SIGTERM, SECONDS_TO_END)
    end_all(process.pid, signal.SIGKILL, SECONDS_TO_END)


def end_all(group: int, number: signal.Signals, seconds: float) -> None:
    """Send a signal to all processes, again and again, until none is left or time is over."""
    deadline = time.monotonic() + seconds
    while not all_ended() and time.monotonic() < deadline:
        for pid in [-group, *descendants(os.getpid())]:
            try:
                os.kill(pid, number)
            except OSError:  # it has ended
                continue
        time.sleep(0.05)


def all_ended() -> bool:
    """Reap children that have ended; return True if there are no others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def descendants(pid: int) -> list[int]:
    """List the process ids of children, their children and so on, where Linux lists them."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    children = [int(word) for word in text.split()]
    return children + [descendant for child in children for descendant in descendants(child)]


if __name__ == "__main__":
    main(sys.argv[1:])
