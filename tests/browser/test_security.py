"""The documented Content-Security-Policy, sent with every file: workers obey their own file's."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer

import pytest

from conftest import DIST, ROOT
from twinvec.certify.engines import Engine
from twinvec.site.serve import StaticHandler

SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
(POLICY,) = re.findall(r"^Content-Security-Policy: (.+)$", SECURITY, flags=re.MULTILINE)

SEARCH = """async () => {
  await customElements.whenDefined("twinvec-search");
  const { index } = await document.querySelector("twinvec-search").load();
  return (await index.search("parse json", { k: 3 })).length;
}"""


class StrictHandler(StaticHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the demo under the policy."""
    handler = partial(StrictHandler, directory=str(DIST), isolated=False, follow_links=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_demo_searches_under_the_documented_policy(engine: Engine, address: str) -> None:
    engine.open(address)
    assert engine.evaluate(SEARCH) == 3
