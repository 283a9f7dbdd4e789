"""How many sessions a page opens, and that they run at the same time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from conftest import DIST, SUB_PATH, TEST_PAGE, open_tab, overlay, serving

pytestmark = pytest.mark.browser

# Counts the runs of all session workers that are under way.
COUNTED = """
const underWay = new BroadcastChannel("runs");
const run = SessionHost.prototype.run;
SessionHost.prototype.run = async function (params, report) {
  underWay.postMessage(1);
  try {
    return await run.call(this, params, report);
  } finally {
    underWay.postMessage(-1);
  }
};
"""
MOST_AT_ONCE = """async (texts) => {
  let now = 0, most = 0;
  const runs = new BroadcastChannel("runs");
  runs.onmessage = ({ data }) => { now += data; most = Math.max(most, now); };
  await extractor(texts);
  runs.close();
  return { most, isolated: crossOriginIsolated, sessions: extractor.versions.sessions };
}"""
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
FIREFOX_ON_ANDROID = "Mozilla/5.0 (Android 16; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0"
SAFARI = (  # of an iPad too
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Safari/605.1.15"
)
PRETENDED = """
for (const [name, value] of Object.entries({})) {{
  Object.defineProperty(navigator, name, {{ value }});
}}
"""


@pytest.mark.parametrize("isolated", [False, True])
def test_each_core_has_a_run(browser: Browser, tmp_path: Path, isolated: bool) -> None:
    """With and without cross-origin isolation, which many static hosts do not give."""
    source = (DIST / "workers" / "session.js").read_text(encoding="utf-8") + COUNTED
    folder = overlay(tmp_path, DIST, {"test.html": TEST_PAGE, "workers/session.js": source})
    with serving(folder, isolated=isolated) as address:
        tab = open_tab(browser, f"{address}{SUB_PATH}/")
        cores = tab.page.evaluate("navigator.hardwareConcurrency")
        found = tab.page.evaluate(MOST_AT_ONCE, ["a text of some words " * 20] * 30)
        tab.page.context.close()
    assert found["isolated"] is isolated
    assert found["sessions"] == min(cores, 4)  # a machine that runs tests has the memory
    assert found["most"] == found["sessions"]


@pytest.mark.parametrize(
    ("machine", "sessions"),
    [
        ({"hardwareConcurrency": 1, "deviceMemory": 8}, 1),
        ({"hardwareConcurrency": 8, "deviceMemory": 8}, 4),
        ({"hardwareConcurrency": 8, "deviceMemory": 2}, 1),
        ({"hardwareConcurrency": 8, "deviceMemory": None}, 2),
        ({"hardwareConcurrency": 8, "deviceMemory": None, "userAgent": FIREFOX}, 2),
        ({"hardwareConcurrency": 8, "deviceMemory": None, "userAgent": SAFARI}, 1),
        ({"hardwareConcurrency": 8, "deviceMemory": None, "userAgent": FIREFOX_ON_ANDROID}, 1),
    ],
)
def test_memory_limits_them(
    browser: Browser, tmp_path: Path, machine: dict[str, Any], sessions: int
) -> None:
    """A session of 90 MB weights takes about half a gigabyte; not every browser tells memory."""
    told = json.dumps(machine).replace("null", "undefined")
    worker = PRETENDED.format(told) + (DIST / "workers" / "python.js").read_text(encoding="utf-8")
    changed = {"test.html": TEST_PAGE, "workers/python.js": worker}
    with serving(overlay(tmp_path, DIST, changed)) as address:
        tab = open_tab(browser, f"{address}{SUB_PATH}/")
        assert tab.page.evaluate("extractor.versions.sessions") == sessions
        dims, _ = tab.encode([f"text {number}" for number in range(9)])
        tab.page.context.close()
    assert dims == [9, 384]
