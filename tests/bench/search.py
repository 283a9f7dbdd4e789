"""Search in the browser: latency, recall and memory of large indexes, beside hnswlib-wasm."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import web
from corpora import embedded, paragraphs
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Playwright
from write_index import grown

from conftest import SUB_PATH, open_tab, serving_tests
from memory import renderer_memory
from twinvec import Embedder
from twinvec.catalog.pins import EMBEDDED

REAL, QUERIES, K = 60_000, 50, 10
SETTLE_MS = 3000  # before memory is measured
WRITER = Path(__file__).with_name("write_index.py")

OPEN = """async (name) => {
  const start = performance.now();
  globalThis.index = await extractor.openIndex(name);
  return (performance.now() - start) / 1000;
}"""
SEARCH = """async ([queries, k]) => {
  const results = [];
  for (const query of queries) {
    const start = performance.now();
    const hits = await index.searchVector(new Float32Array(query), { k });
    results.push([performance.now() - start, hits.map(({ position }) => position)]);
  }
  return results;
}"""


class Corpus:
    """Real vectors and queries, and the nearest vectors to each query."""

    def __init__(self, folder: Path) -> None:
        texts = paragraphs(REAL + 8 * QUERIES)
        embedder = Embedder.from_pretrained(EMBEDDED.name, max_length=64)
        self.real = embedded(texts[:REAL], embedder, "passages")
        # Queries are the first words of paragraphs outside the index.
        beginnings = [" ".join(text.split()[:10]) for text in texts[REAL:]]
        self.queries = embedded(beginnings, embedder, "queries")[:QUERIES]
        embedder.close()
        folder.mkdir(parents=True)
        self.file = folder / "real.npy"
        np.save(self.file, self.real)
        fingerprint = Embedder.from_pretrained(EMBEDDED.name).fingerprint
        setting = json.dumps({"texts": texts[:REAL], "fingerprint": fingerprint})
        self.file.with_suffix(".json").write_text(setting, encoding="utf-8")

    def nearest(self, count: int) -> list[set[int]]:
        """Find the rows nearest to each query among the first `count`: `K` of them, and ties.

        Paragraphs with the same first 64 tokens have equal vectors.
        """
        scores = np.concatenate([batch @ self.queries.T for batch in grown(self.real, count)])
        last = np.partition(scores, count - K, axis=0)[count - K]
        return [set(np.flatnonzero(column).tolist()) for column in (scores >= last - 1e-6).T]

    def write(self, folder: Path, count: int, precision: str, *, lexical: bool) -> dict[str, Any]:
        """Write an index in a process of its own; return seconds, peak memory and bytes on disk."""
        options = json.dumps({"precision": precision, "lexical": lexical})
        command = [sys.executable, *map(str, (WRITER, folder, self.file, count)), options]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        report: dict[str, Any] = json.loads(answer.stdout)
        return report


def measure(playwright: Playwright, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Measure every size and precision, each in its own browser."""
    corpus = Corpus(folder / "corpus")
    few, many = (20_000, 60_000) if quick else (100_000, 1_000_000)
    measured: dict[str, Any] = {}
    with site(folder / "site") as (address, public):
        for count in (REAL, few, many):
            nearest = corpus.nearest(count)
            for precision in ("float32", "int8", "binary"):
                if precision == "float32" and count == many:
                    continue  # 1.5 GB
                name = f"{count}-{precision}"
                lexical = count == many and precision == "int8"
                written = corpus.write(public / name, count, precision, lexical=lexical)
                with web.launched(playwright) as browser:
                    figures = measure_index(browser, address, name, corpus.queries, nearest)
                writing = {
                    "written, MB": written["bytes"] / 1e6,
                    "writer's peak, MB": written["peak"] / 1e6,
                }
                measured[f"{count:,} passages, {precision}"] = figures | writing
        with web.launched(playwright) as browser:
            figures = measure_peer(browser, address, public, corpus, few)
        measured[f"{few:,} passages, hnswlib-wasm"] = figures
    return measured


@contextmanager
def site(folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve the built site, with the peer's page added."""
    with serving_tests(folder) as address:
        public = folder / SUB_PATH
        (public / "peers").mkdir()
        for file in web.PEERS.iterdir():
            (public / "peers" / file.name).symlink_to(file)
        yield address, public


def measure_index(
    browser: Browser,
    address: str,
    name: str,
    queries: NDArray[np.float32],
    nearest: list[set[int]],
) -> dict[str, Any]:
    """Open an index and search it twice: the second time its documents are in memory."""
    tab = open_tab(browser, address)
    tab.page.set_default_timeout(600_000)
    tab.encode(["both sessions are up"] * 64)
    tab.page.wait_for_timeout(SETTLE_MS)
    before = renderer_memory(browser)
    opened = tab.page.evaluate(OPEN, name)
    tab.page.evaluate(SEARCH, [queries[:1].tolist(), K])
    first = tab.page.evaluate(SEARCH, [queries.tolist(), K])
    second = tab.page.evaluate(SEARCH, [queries.tolist(), K])
    tab.page.wait_for_timeout(SETTLE_MS)
    return {
        "search, ms": _median(second),
        "search and read 10 documents, ms": _median(first),
        "recall@10": _recall(second, nearest),
        "opened in, s": opened,
        "memory, MB": (renderer_memory(browser) - before) / 1e6,
    }


def measure_peer(
    browser: Browser, address: str, public: Path, corpus: Corpus, count: int
) -> dict[str, Any]:
    """Build hnswlib-wasm's index in the page, where it must be built, and search it."""
    (public / "peers" / "vectors.bin").write_bytes(
        b"".join(batch.tobytes() for batch in grown(corpus.real, count))
    )
    (public / "peers" / "queries.bin").write_bytes(corpus.queries.tobytes())
    nearest = corpus.nearest(count)
    page: Page = browser.new_context().new_page()
    page.set_default_timeout(1_800_000)
    page.goto(f"{address}peers/hnswlib.html")
    page.wait_for_function("globalThis.ready")
    before = renderer_memory(browser)
    dim = corpus.real.shape[1]
    figures: dict[str, Any] = {
        "built in, s": page.evaluate(f"build('vectors.bin', 'queries.bin', {dim})"),
        "memory, MB": (renderer_memory(browser) - before) / 1e6,
    }
    for ef in (50, 200):
        page.evaluate(f"search({K}, {ef})")
        results = page.evaluate(f"search({K}, {ef})")
        figures |= {
            f"search, ef {ef}, ms": _median(results),
            f"recall@10, ef {ef}": _recall(results, nearest),
        }
    return figures


def _median(results: list[Any]) -> float:
    return float(statistics.median(milliseconds for milliseconds, _ in results))


def _recall(results: list[Any], nearest: list[set[int]]) -> float:
    hits = [len(best & set(rows)) for best, (_, rows) in zip(nearest, results, strict=True)]
    return float(sum(hits) / (K * len(hits)))
