"""In the browser: twinvec beside Transformers.js and beside bare ONNX Runtime Web."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corpora import Workload
from playwright.sync_api import Browser, Page, Playwright
from subject import Subject

from conftest import SUB_PATH, launch_options, open_tab, serving_tests
from memory import renderer_memory

PEERS = Path(__file__).with_name("peers")

TWINVEC_PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module">
  import { pipeline } from "./twinvec.js";
  const options = { pooling: "mean", normalize: true };
  const dtype = new URLSearchParams(location.search).get("dtype") ?? "fp32";
  const extractor = await pipeline("feature-extraction", null, { dtype });
  globalThis.encode = async (texts) => (await extractor(texts, options)).dims[0];
  await encode(["first"]);
  globalThis.first = performance.now();
</script>"""

TIMED = """async ([texts, size]) => {
  const start = performance.now();
  const rows = await encode(texts, size);
  if (rows === 0) throw new Error("nothing was embedded");
  return (performance.now() - start) / 1000;
}"""


@contextmanager
def bench_site(folder: Path, subject: Subject, texts: list[str]) -> Iterator[str]:
    """Serve the site with the peers' pages in it; the bare runtime's has the runs of the texts."""
    info, tokenizer = subject.embedder.info, subject.embedder.pipeline.tokenizer
    runs = [tokenizer.encode(text).input_ids.tolist() for text in texts]
    with serving_tests(folder, subject.dist) as address:
        site = folder / SUB_PATH
        (site / "bench.html").write_text(TWINVEC_PAGE, encoding="utf-8")
        peers = site / "peers"
        peers.mkdir()
        for file in PEERS.iterdir():
            (peers / file.name).symlink_to(file)
        model = f"../models/{info.name}/{info.weights['fp32']}"
        bound = json.dumps({"model": model, "runs": runs})
        (peers / "bound.json").write_text(bound, encoding="utf-8")
        yield address


def open_pages(browser: Browser, address: str, model: str) -> dict[str, Page]:
    """Open each contender once, and wait until it has embedded a text."""
    paths = {
        "twinvec": "bench.html",
        "Transformers.js": f"peers/transformers.html?model={model}",
        "bare ONNX Runtime Web": "peers/bound.html",
    }
    pages = {}
    for name, path in paths.items():
        pages[name] = browser.new_context().new_page()
        pages[name].set_default_timeout(600_000)
        pages[name].goto(address + path)
        pages[name].wait_for_function("globalThis.first ?? globalThis.ready")
    return pages


def contenders(pages: dict[str, Page], workload: Workload) -> dict[str, Callable[[], float]]:
    """Give what is timed on a workload; each call takes seconds, and gives how many."""
    texts = workload.texts

    def calls(name: str, texts: list[str], size: int) -> Callable[[], float]:
        return lambda: pages[name].evaluate(TIMED, [texts, size])

    found = {"twinvec": calls("twinvec", texts, 0)}
    if workload.name == "one list":  # as the documentation shows it
        found["Transformers.js, one list"] = calls("Transformers.js", texts, len(texts))
        return found
    found["bare ONNX Runtime Web"] = lambda: pages["bare ONNX Runtime Web"].evaluate("run()")
    found["Transformers.js, one by one"] = calls("Transformers.js", texts, 1)
    if len(texts) > 1:
        by_length = sorted(texts, key=len)
        found["Transformers.js, sorted, 8 a call"] = calls("Transformers.js", by_length, 8)
    return found


def first_vectors(playwright: Playwright, address: str, model: str, rounds: int) -> dict[str, Any]:
    """Take the time from asking for the page to the first vector, in seconds.

    Cold: a browser that was never here. Warm: its second visit, some seconds later, with a profile
    on disk as visitors have one: without it, no browser keeps compiled code.
    """
    paths = {"twinvec": "bench.html", "Transformers.js": f"peers/transformers.html?model={model}"}
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, path in paths.items():
            with TemporaryDirectory() as profile:
                context = playwright.chromium.launch_persistent_context(
                    profile, **launch_options(playwright)
                )
                for visit in ("cold", "warm"):
                    page = context.new_page()
                    page.set_default_timeout(120_000)
                    page.goto(address + path)
                    milliseconds = page.wait_for_function("globalThis.first").json_value()
                    taken.setdefault(f"{visit}, {name}", []).append(milliseconds / 1000)
                    page.wait_for_timeout(5000)  # what is kept for the next visit gets written
                    page.close()
                context.close()
    return {
        visit: {name: taken[f"{visit}, {name}"] for name in paths} for visit in ("cold", "warm")
    }


def stages(playwright: Playwright, address: str, workload: Workload) -> dict[str, float]:
    """Take the median milliseconds of each stage, one text after the other."""
    call = "\nasync def body():\n    return await measure(texts, rounds)"
    source = Path(__file__).with_name("stages.py").read_text(encoding="utf-8")
    with launched(playwright) as browser:
        tab = open_tab(browser, address)
        rounds = 50 if len(workload.texts) == 1 else 3
        found = tab.python(source + call, texts=workload.texts, rounds=rounds)
    return {f"{stage}, ms": 1000 * statistics.median(one) for stage, one in found.items()}


def page_memory(playwright: Playwright, address: str, texts: list[str]) -> dict[str, float]:
    """Take the page's memory in MB, with each dtype after loading, and as texts are embedded."""
    found = {}
    for dtype in ("fp32", "w8"):
        with launched(playwright) as browser:
            tab = open_tab(browser, address, f"?dtype={dtype}")
            found[f"{dtype}, loaded, MB"] = renderer_memory(browser) / 1e6
            if dtype == "fp32":
                tab.encode(texts[:200])
                found["fp32, 200 texts, MB"] = renderer_memory(browser) / 1e6
                for at in range(200, len(texts), 200):
                    tab.encode(texts[at : at + 200])
                found[f"fp32, {len(texts)} texts, MB"] = renderer_memory(browser) / 1e6
                tab.page.evaluate("extractor.dispose()")
                tab.page.wait_for_timeout(2000)
                found["fp32, disposed of, MB"] = renderer_memory(browser) / 1e6
    return found


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Start a browser of its own."""
    browser = playwright.chromium.launch(**launch_options(playwright))
    try:
        yield browser
    finally:
        browser.close()
