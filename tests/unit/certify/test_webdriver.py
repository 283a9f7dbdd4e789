"""The WebDriver client against a driver that answers wrongly or not at all; no browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from twinvec.certify import webdriver
from twinvec.certify.webdriver import WebDriver
from twinvec.errors import EngineError

SESSION = {"sessionId": "1", "capabilities": {"browserName": "none", "browserVersion": "1.0"}}
STARTED = {"/status": {"ready": True}, "/session": SESSION, "/session/1/timeouts": None}


@contextmanager
def driver(answers: dict[str, Any]) -> Iterator[int]:
    """Answer requests from a table of path -> value; a number is a time to wait, bytes are raw."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            value = answers[self.path]
            if isinstance(value, float):
                time.sleep(value)
            content = value if isinstance(value, bytes) else json.dumps({"value": value}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_DELETE = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_result_of_a_function_is_returned() -> None:
    answers = {**STARTED, "/session/1/execute/async": '{"value": [1, "\\ud800"]}'}
    with driver(answers) as port:
        opened = WebDriver(port, {})
        assert opened.browser == "none 1.0"
        assert opened.evaluate("() => 0") == [1, "\ud800"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"error": "TypeError: no"}', "^TypeError: no$"),
        ({"error": "script timeout", "message": "too\nlong"}, "^script timeout: too$"),
        ({"error": "unknown error", "message": ""}, "^unknown error: $"),
        (b"<html>", "driver does not answer"),
        (b"", "driver does not answer"),
    ],
)
def test_an_error_is_reported(answer: Any, message: str) -> None:
    with driver({**STARTED, "/session/1/execute/async": answer}) as port:
        opened = WebDriver(port, {})
        with pytest.raises(EngineError, match=message):
            opened.evaluate("() => 0")


def test_a_silent_driver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdriver, "SECONDS_FOR_A_REPLY", 0.1)
    with driver({**STARTED, "/session/1/execute/async": 2.0}) as port:
        opened = WebDriver(port, {})
        with pytest.raises(EngineError, match=r"did not answer within 0\.2 seconds"):
            opened.evaluate("() => 0", seconds=0.1)


def test_a_missing_driver_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdriver, "SECONDS_TO_START", 0.1)
    with pytest.raises(EngineError, match="driver does not answer"):
        WebDriver(1, {})
