"""A page reads no more of an answer than was promised, and waits for no silent server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Error

from conftest import DIST, SUB_PATH, TEST_PAGE, Tab, open_tab, overlay, serving
from twinvec import Embedder, Index
from twinvec.site.serve import StaticHandler

pytestmark = pytest.mark.browser

SILENCE_SECONDS = 3
ENDLESS_BYTES = 1 << 30
"""More than a test has the time to send."""
LEEWAY_BYTES = 16 << 20
"""Sent before a browser stops reading: buffers of sockets and of the browser."""


@dataclass
class Fault:
    """A file whose answer is wrong, and the bytes that were sent of it."""

    file: str = ""
    kind: str = ""
    sent: int = 0
    requests: int = 0


class FaultyHandler(StaticHandler):
    """Sends one file wrongly."""

    fault = Fault()

    def do_GET(self) -> None:  # noqa: N802 (as the base class names it)
        fault = type(self).fault
        if not fault.file or fault.file not in self.path:
            super().do_GET()
            return
        fault.requests += 1
        is_range = fault.kind == "endless range" and "Range" in self.headers
        self.send_response(206 if is_range else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        try:
            if fault.kind == "silent":
                self.wfile.write(b"{")
                self.wfile.flush()
                time.sleep(4 * SILENCE_SECONDS)
                return
            while fault.sent < ENDLESS_BYTES:
                fault.sent += self.wfile.write(b" " * (1 << 20))
        except OSError:
            pass  # the browser has closed the connection


@pytest.fixture(scope="module")
def tab(
    browser: Browser, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    worker = (DIST / "workers" / "python.js").read_text(encoding="utf-8")
    before, after = "MAX_SILENCE_SECONDS = 60", f"MAX_SILENCE_SECONDS = {SILENCE_SECONDS}"
    assert before in worker
    changed = {"test.html": TEST_PAGE, "workers/python.js": worker.replace(before, after)}
    folder = overlay(tmp_path_factory.mktemp("endless"), changed=changed)
    Index.build([f"text number {i}" for i in range(50)], embedder).save(folder / SUB_PATH / "zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twinvec.site.serve.StaticHandler", FaultyHandler)
        with serving(folder) as root:
            opened = open_tab(browser, f"{root}{SUB_PATH}/")
            yield opened
            opened.page.context.close()


@pytest.fixture
def fault(tab: Tab) -> Iterator[Fault]:
    """A fault to be described, of a visitor who has nothing of the index yet."""
    tab.page.evaluate("caches.delete('twinvec')")
    FaultyHandler.fault = Fault()
    yield FaultyHandler.fault
    FaultyHandler.fault = Fault()


def search(tab: Tab) -> Any:
    return tab.page.evaluate(
        "extractor.openIndex('zoo/').then((index) => index.search('number', { k: 1 }))"
    )


@pytest.mark.parametrize(
    ("file", "kind", "message"),
    [
        ("vectors-", "endless", r"IntegrityError: vectors-.* bytes, found more"),
        ("documents-", "endless range", r"IntegrityError: documents-.* bytes, found more"),
        ("documents-", "endless", r"IntegrityError: documents-.* bytes, found more"),
    ],
)
def test_an_endless_file_is_not_downloaded(
    tab: Tab, fault: Fault, file: str, kind: str, message: str
) -> None:
    fault.file, fault.kind = file, kind
    with pytest.raises(Error, match=message):
        search(tab)
    assert fault.requests <= 3  # a range, the file, and the file past the browser's HTTP cache
    assert fault.sent < fault.requests * LEEWAY_BYTES


def test_an_endless_manifest_is_not_downloaded(tab: Tab, fault: Fault) -> None:
    fault.file, fault.kind = "index.json", "endless"
    with pytest.raises(Error, match=r"DownloadError: .*index\.json has more than 67108864 bytes"):
        search(tab)
    assert fault.sent < (1 << 26) + LEEWAY_BYTES


@pytest.mark.parametrize("file", ["vectors-", "index.json"])
def test_a_silent_server_is_not_waited_for(tab: Tab, fault: Fault, file: str) -> None:
    fault.file, fault.kind = file, "silent"
    start = time.monotonic()
    message = (
        rf"DownloadError: .*zoo/{file}.*: the server has sent nothing for 3 seconds; try again"
    )
    with pytest.raises(Error, match=message):
        search(tab)
    assert time.monotonic() - start < 4 * SILENCE_SECONDS
    FaultyHandler.fault = Fault()
    assert len(search(tab)) == 1
