"""Processes that end with their owner."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import closing
from pathlib import Path

from twinvec.certify.process import GuardedProcess, free_port


def test_a_process_is_ended_and_its_output_is_kept(tmp_path: Path) -> None:
    script = "import os, sys, time; print(os.environ['WORD'], flush=True); time.sleep(600)"
    log = tmp_path / "log"
    start = time.monotonic()
    command = [sys.executable, "-c", script]
    with closing(GuardedProcess(command, log=log, environment={"WORD": "hello"})):
        while not log.read_text(encoding="utf-8"):
            time.sleep(0.02)
    assert log.read_text(encoding="utf-8") == "hello\n"
    assert time.monotonic() - start < 30


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass
