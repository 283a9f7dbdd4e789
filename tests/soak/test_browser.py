"""A tab that works for a long time: its memory stays level, and its answers keep their bits."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright

from conftest import Tab, launch_options, open_tab, serving_tests
from memory import renderer_memory
from texts import prose

pytestmark = [pytest.mark.browser, pytest.mark.soak]

DISTINCT_TEXTS = 500
ENCODES = 20_000
SEARCHES = 5_000
WARM_UP = 0.1  # share of the calls, in which each question is asked once
BLOCKS = 20
MAX_GROWTH = 0.03

PREPARE = """async (texts) => {
  const modes = ["semantic", "lexical", "hybrid"];
  const queries = texts.map((text) => text.split(" ").slice(0, 8).join(" "));
  const index = await extractor.openIndex("search/");
  const answers = {
    encode: async (i) => {
      const options = { pooling: "mean", normalize: true };
      const { data } = await extractor([texts[i % texts.length]], options);
      return String(new Uint32Array(data.buffer));
    },
    search: async (i) => {
      const hits = await index.search(queries[i % queries.length], { mode: modes[i % 3] });
      return JSON.stringify(hits.map(({ id, score }) => [id, score]));
    },
  };
  const first = { encode: new Map(), search: new Map() };
  // Ask, and return the number of answers that differ from the first one to the same question.
  globalThis.ask = async (kind, start, stop) => {
    let different = 0;
    for (let i = start; i < stop; i++) {
      const question = i % (kind === "encode" ? texts.length : 3 * texts.length);
      const answer = await answers[kind](i);
      if (!first[kind].has(question)) first[kind].set(question, answer);
      else if (first[kind].get(question) !== answer) different++;
    }
    return different;
  };
}"""

PROXIES = "return [...pyodide._module.pyproxy_alloc_map.values()].length;"


@pytest.fixture
def browser_of_its_own(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(**launch_options(playwright))
    yield browser
    browser.close()


def test_memory_and_answers_stay_the_same(browser_of_its_own: Browser, tmp_path: Path) -> None:
    with serving_tests(tmp_path) as address:
        tab = open_tab(browser_of_its_own, address, "?dtype=w8")
        tab.page.set_default_timeout(0)
        tab.page.evaluate(PREPARE, prose(DISTINCT_TEXTS, seed=1, longest=60))
        assert ask(tab, 0, WARM_UP) == 0
        tab.javascript("pyodide._module.enable_pyproxy_allocation_tracing();")
        before = settled_memory(tab)
        edges = [WARM_UP + (1 - WARM_UP) * block / BLOCKS for block in range(BLOCKS + 1)]
        memory = []
        for start, stop in pairwise(edges):
            assert ask(tab, start, stop) == 0
            memory.append(settled_memory(tab))
        growth = statistics.median(memory[-3:]) / before - 1
        megabytes = [round(value / 1e6) for value in (before, *memory)]
        print(json.dumps({"growth": growth, "MB": megabytes}))
        assert growth <= MAX_GROWTH, megabytes
        assert tab.javascript(PROXIES) == 0


def ask(tab: Tab, start: float, stop: float) -> int:
    """Ask a share of all questions; return the number of answers that differ from earlier ones."""
    call = "([kind, start, stop]) => ask(kind, start, stop)"
    return sum(
        tab.page.evaluate(call, [kind, round(start * count), round(stop * count)])
        for kind, count in (("encode", ENCODES), ("search", SEARCHES))
    )


def settled_memory(tab: Tab) -> int:
    """Measure the tab's memory after garbage was collected."""
    browser = tab.page.context.browser
    assert browser is not None
    tab.page.request_gc()
    tab.page.wait_for_timeout(2000)
    return renderer_memory(browser)
