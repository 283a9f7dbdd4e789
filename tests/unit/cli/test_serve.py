from __future__ import annotations

import socket
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from command import report_of, twinvec


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is interrupted as soon as it serves."""

    def serve_forever(_server: ThreadingHTTPServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", serve_forever)


@pytest.mark.usefixtures("interrupted")
def test_the_address_is_printed_until_ctrl_c(tmp_path: Path) -> None:
    answer = twinvec("serve", tmp_path, "--port", "0")
    assert answer.exit_code == 0
    assert answer.stdout.startswith(f"Serving {tmp_path} at http://localhost:")
    assert answer.stdout.endswith("/ (press Ctrl+C to stop)\n")
    assert answer.stderr == "Stopped.\n"
    report = report_of(twinvec("serve", tmp_path, "--port", "0", "--json"))
    assert report["folder"] == str(tmp_path)
    assert report["url"].startswith("http://localhost:")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        answer = twinvec("serve", tmp_path, "--port", str(port))
    assert answer.exit_code == 1
    assert f"port {port}: " in answer.stderr
    assert "choose another port with --port" in answer.stderr
