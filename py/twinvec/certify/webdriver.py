"""A client of W3C WebDriver: the few commands that a certificate needs, over `http.client`.

https://www.w3.org/TR/webdriver2/
"""

from __future__ import annotations

import base64
import json
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from twinvec.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_TO_START = 60
SECONDS_FOR_A_COMMAND = 60
SECONDS_FOR_A_REPLY = 15
"""Time that a driver has, after a script's own time limit, to report it."""

# Firefox runs a driver's scripts in a sandbox, which cannot import modules and rounds numbers. So
# the call runs in the page itself, and its result comes back as JSON text in an event. Where a
# page's policy forbids inline scripts, the driver's own script makes the call.
CALL_IN_PAGE = """
const done = arguments[arguments.length - 1];
const name = `twinvec-${Math.random()}`;
document.addEventListener(name, ({ detail }) => done(detail), { once: true });
const answer = async (call) => {
  try {
    return JSON.stringify({ value: (await call()) ?? null });
  } catch (error) {
    const isError = error instanceof Error || error instanceof DOMException;
    return JSON.stringify({ error: isError ? `${error.name}: ${error.message}` : String(error) });
  }
};
const script = document.createElement("script");
script.textContent = `document.currentScript.dataset.runs = "";
  (${answer})(${call}).then((detail) =>
    document.dispatchEvent(new CustomEvent("${name}", { detail })))`;
document.documentElement.append(script);
script.remove();
if (!("runs" in script.dataset)) answer(call).then(done);
"""


class WebDriver:
    """A session of a driver: one window of one browser.

    ::

        driver = WebDriver(4444, {"browserName": "firefox"})
        driver.open("http://localhost:8000/")
        driver.evaluate("(name) => document.querySelector(name).textContent", "h1")

    Args:
        port: port of this computer on which the driver listens, now or soon.
        capabilities: of the browser to start.

    Attributes:
        browser: name and version of the browser.

    Raises:
        EngineError: the driver does not answer, or the browser does not start.
    """

    def __init__(self, port: int, capabilities: Mapping[str, Any]) -> None:
        self._port = port
        self._script_seconds = 0.0
        self._wait_until_ready()
        wanted = {"capabilities": {"alwaysMatch": capabilities}}
        session = self._send("POST", "/session", wanted, seconds=SECONDS_TO_START)
        self._path = f"/session/{session['sessionId']}"
        facts = session["capabilities"]
        self.browser = f"{facts['browserName']} {facts['browserVersion']}"

    def open(self, url: str) -> None:
        """Open a page, and wait until it has loaded."""
        self._send("POST", f"{self._path}/url", {"url": url})

    def evaluate(self, function: str, *arguments: Any, seconds: float = 120) -> Any:
        """Call a JavaScript function in the page, and wait for its result.

        Args:
            function: source of a function, async or not.
            arguments: JSON values.
            seconds: time limit.

        Returns:
            Its result as a JSON value; None for `undefined`.

        Raises:
            EngineError: the function threw an error, whose name and message are in the message; or
                it took too long; or the browser has ended.
        """
        if seconds != self._script_seconds:
            limits = {"script": round(seconds * 1000)}
            self._send("POST", f"{self._path}/timeouts", limits)
            self._script_seconds = seconds
        parameters = json.dumps(arguments)  # ASCII, so that lone surrogates survive
        call = f"const call = () => ({function})(...{parameters});\n"
        command = {"script": call + CALL_IN_PAGE, "args": []}
        path = f"{self._path}/execute/async"
        text = self._send("POST", path, command, seconds=seconds + SECONDS_FOR_A_REPLY)
        answer = json.loads(text)
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer["value"]

    def screenshot(self) -> bytes:
        """Return a picture of the window, as PNG."""
        return base64.b64decode(self._send("GET", f"{self._path}/screenshot"))

    def close(self) -> None:
        """Close the browser."""
        self._send("DELETE", self._path, seconds=SECONDS_FOR_A_REPLY)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                if self._send("GET", "/status")["ready"]:
                    return
            except EngineError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _send(
        self, method: str, path: str, body: Any = None, *, seconds: float = SECONDS_FOR_A_COMMAND
    ) -> Any:
        """Send a command, and return the value of the reply."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=seconds)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        except TimeoutError:
            raise EngineError(f"the browser did not answer within {seconds:g} seconds") from None
        except (OSError, HTTPException, ValueError, KeyError) as err:
            raise EngineError(f"the browser's driver does not answer: {err!r}") from err
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            (message, *_) = value["message"].splitlines() or [""]
            raise EngineError(f"{value['error']}: {message}")
        return value
