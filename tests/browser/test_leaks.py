"""Nothing that crosses between Python and JavaScript stays behind."""

from __future__ import annotations

import pytest

from conftest import Tab

pytestmark = pytest.mark.browser

PROXIES = """
const { pyproxy_alloc_map: proxies } = pyodide._module;
return [...proxies.values()];
"""


def test_no_proxy_outlives_its_call(tab: Tab) -> None:
    tab.javascript("pyodide._module.enable_pyproxy_allocation_tracing();")
    try:
        tab.encode(["warm up"])
        tab.javascript("globalThis.kept = pyodide.toPy([]);")
        assert len(tab.javascript(PROXIES)) == 1  # tracing sees what is kept
        tab.javascript("kept.destroy();")
        for _ in range(50):
            tab.encode(["Hello world.", "I love pandas so much!"])
        tab.page.evaluate(
            """async () => {
              const index = await extractor.openIndex("index/");
              await index.add("one more");
              await index.search("something");
            }"""
        )
        failed = tab.page.evaluate(
            "extractor(['a'], { pooling: 'max' }).catch((error) => error.name)"
        )
        assert failed == "ValueError"
        aborted = tab.page.evaluate(
            """async () => {
              const controller = new AbortController();
              const progress_callback = () => controller.abort();
              const options = { progress_callback, signal: controller.signal };
              return extractor(Array(100).fill("a"), options).catch((error) => error.name);
            }"""
        )
        assert aborted == "AbortError"
        tab.encode(["after it, so that what was under way has ended"])
        assert tab.javascript(PROXIES) == []
    finally:
        tab.javascript("pyodide._module.disable_pyproxy_allocation_tracing();")


def test_memory_of_python_does_not_grow(tab: Tab) -> None:
    texts = ["word " * 100] * 20
    tab.encode(texts)
    size = "return pyodide._module.HEAPU8.length;"
    before = tab.javascript(size)
    for _ in range(10):
        tab.encode(texts)
    assert tab.javascript(size) == before


CALLS = """async (count) => {
  for (let i = 0; i < count; i++) {
    await extractor(`text number ${i}`, { pooling: "mean" });
    await index.search(`query number ${i}`, { k: 3, mode: "hybrid" });
  }
}"""
PYTHON = """
return [
  pyodide._module.HEAPU8.length,
  pyodide.runPython("import gc; gc.collect(); len(gc.get_objects())"),
];
"""


def page_heap(tab: Tab) -> int:
    """Measure the page's JavaScript heap after garbage collection, in bytes."""
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("HeapProfiler.collectGarbage")
    used: int = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used


def test_calls_leave_nothing_behind(tab: Tab) -> None:
    """After a warm-up, Python's memory and objects stay the same, and so does the page's heap."""
    tab.page.evaluate(
        "extractor.openIndex('index/').then((opened) => { globalThis.index = opened; })"
    )
    tab.page.evaluate(CALLS, 50)
    memory, objects = tab.javascript(PYTHON)
    heap = page_heap(tab)
    tab.page.evaluate(CALLS, 100)
    assert tab.javascript(PYTHON)[0] == memory
    assert abs(tab.javascript(PYTHON)[1] - objects) < 100  # less than one a call
    assert page_heap(tab) - heap < 100 * 500  # bytes; 17,000 were measured
    tab.page.evaluate("index.dispose()")
