"""The guard ends a command and everything that it started, also when its owner is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twinvec.certify.process import GUARD

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="lists processes in /proc")

# Starts a process in a session of its own, which ignores SIGTERM, and one that it leaves.
COMMAND = """
import signal, subprocess, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep, start_new_session=new) for new in (True, False)]
Path(sys.argv[1]).write_text(" ".join(str(child.pid) for child in children))
if sys.argv[2] == "stay":
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False


def wait_for(file: Path) -> list[int]:
    for _ in range(500):
        if file.is_file() and (text := file.read_text(encoding="ascii")):
            return [int(word) for word in text.split()]
        time.sleep(0.02)
    pytest.fail(f"{file} was not written")


@pytest.mark.parametrize("end", ["stay", "leave orphans"])
def test_everything_ends_with_standard_input(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "pids"), end]
    guard = subprocess.Popen([sys.executable, str(GUARD), *command], stdin=subprocess.PIPE)
    pids = wait_for(tmp_path / "pids")
    assert all(map(is_running, pids))
    assert guard.stdin
    guard.stdin.close()
    assert guard.wait(20) == 0
    assert not any(map(is_running, pids))


def test_everything_ends_with_a_killed_owner(tmp_path: Path) -> None:
    owner = f"""
import subprocess, sys
command = [sys.executable, {str(GUARD)!r}, sys.executable, "-c", {COMMAND!r}, sys.argv[1], "stay"]
subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True).wait()
"""
    process = subprocess.Popen([sys.executable, "-c", owner, tmp_path / "pids"])
    pids = wait_for(tmp_path / "pids")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(5)
    for _ in range(500):
        if not any(map(is_running, pids)):
            return
        time.sleep(0.02)
    pytest.fail("processes outlive their owner")
