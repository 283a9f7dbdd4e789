"""Servers that answer wrongly, file by file: a page finds the right hit, or names the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import serving
from twinvec.certify.engines import ENGINES, Engine
from twinvec.site.sample import SAMPLE_TEXTS
from twinvec.site.serve import StaticHandler

pytestmark = pytest.mark.browser

PAGE = '<!doctype html><title>faults</title><link rel="icon" href="data:," />'
SECONDS = 90
ERRORS = ("DownloadError", "IntegrityError", "IndexFormatError", "WorkerError")

SEARCH = """async (seconds) => {
  const work = async () => {
    const { pipeline } = await import("/twinvec.js");
    const extractor = await pipeline("feature-extraction", null, { dtype: "w8" });
    try {
      const index = await extractor.openIndex("/index/");
      const hits = await index.search("panda", { mode: "lexical", k: 1 });
      return hits.map(({ text }) => text);
    } finally {
      await extractor.dispose();
    }
  };
  const timeout = new Promise((resolve) => setTimeout(resolve, 1000 * seconds, "nothing"));
  return Promise.race([work(), timeout]).catch(({ name, message }) => `${name}: ${message}`);
}"""

FILES = (
    "workers/python.js",
    "workers/session.js",
    "runtime/pyodide/pyodide.mjs",
    "runtime/pyodide/pyodide.asm.mjs",
    "runtime/pyodide/pyodide.asm.wasm",
    "runtime/pyodide/python_stdlib.zip",
    "runtime/numpy.zip",
    "runtime/twinvec.zip",
    "runtime/onnxruntime-web/ort.wasm.bundle.min.mjs",
    "runtime/onnxruntime-web/ort-wasm-simd-threaded.wasm",
    "runtime/tokenizers/index.js",
    "models/manifest.json",
    "onnx/model_w8.onnx",
    "tokenizer.json",
    "index/index.json",
    "index/vectors-",
    "index/documents-",
)

HARMLESS = {
    "another type": re.compile(r"ort-.*\.wasm$|\.(zip|json|onnx)$|^index/"),  # they are read
    "no range": re.compile(r""),  # the whole file is read instead
}
"""Fault -> the files for which the page works nevertheless."""


class FaultyHandler(StaticHandler):
    """Answers the requests of one file wrongly."""

    file = fault = ""

    def do_GET(self) -> None:  # noqa: N802 (as the base class names it)
        path = self.path.partition("?")[0]
        if path == "/faults.html":
            self._send(200, "text/html", PAGE.encode())
        elif self.file in path:
            FAULTS[self.fault](self)
        else:
            super().do_GET()

    def content(self) -> bytes:
        return Path(self.translate_path(self.path)).read_bytes()

    def cut(self) -> None:
        content = self.content()
        self._send(200, self.guess_type(self.path), content[: len(content) // 2], len(content))
        self.close_connection = True

    def answer(self, status: int) -> None:
        self._send(status, "text/plain", b"sorry")

    def html(self) -> None:
        self._send(200, "text/html", b"<!doctype html><title>Maintenance</title>")

    def another_type(self) -> None:
        self._send(200, "text/plain", self.content())

    def no_answer(self) -> None:
        self.close_connection = True

    def no_range(self) -> None:
        del self.headers["Range"]
        super().do_GET()

    def _send(self, status: int, kind: str, body: bytes, size: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body)


FAULTS: dict[str, Callable[[FaultyHandler], None]] = {
    "cut": FaultyHandler.cut,
    "404": lambda handler: handler.answer(404),
    "500": lambda handler: handler.answer(500),
    "html": FaultyHandler.html,
    "another type": FaultyHandler.another_type,
    "no answer": FaultyHandler.no_answer,
}

PAIRS = [(file, fault) for file in FILES for fault in FAULTS]


def outcome(engine: Engine, site: Path, file: str, fault: str) -> Any:
    """Search in a page of an origin of its own, so that nothing is cached."""
    handler = type("Handler", (FaultyHandler,), {"file": file, "fault": fault})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twinvec.site.serve.StaticHandler", handler)
        with serving(site) as address:
            engine.open(f"{address}faults.html")
            return engine.evaluate(SEARCH, SECONDS)


def is_expected(file: str, fault: str, result: Any) -> bool:
    harmless = HARMLESS.get(fault)
    if harmless and harmless.search(file):
        return bool(result == [SAMPLE_TEXTS[1]])
    name, _, message = str(result).partition(": ")
    return name in ERRORS and file.rpartition("/")[2] in message


@pytest.mark.parametrize("pair", range(len(PAIRS) // len(ENGINES)))
def test_the_file_is_named(engine: Engine, tiny_site: Path, pair: int) -> None:
    """Each engine gets a third of all pairs of a file and a fault."""
    file, fault = PAIRS[len(ENGINES) * pair + ENGINES.index(engine.name)]
    result = outcome(engine, tiny_site, file, fault)
    assert is_expected(file, fault, result), (file, fault, result)
