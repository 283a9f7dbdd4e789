"""Whatever ends a worker, every call of the page is answered, and the page can begin again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from conftest import DIST, PAGES, SUB_PATH, Tab, hooked_worker, open_tab, overlay, serving
from twinvec import Embedder, Index

pytestmark = pytest.mark.browser

# Lets a page count runs, list the session workers, and close one of them.
SESSION_HOOK = """
const channel = new BroadcastChannel("sessions");
const id = Math.random();
channel.onmessage = ({ data }) => {
  if (data === "list") channel.postMessage({ id });
  if (data.close === id) self.close();
};
const { run } = SessionHost.prototype;
SessionHost.prototype.run = function (...params) {
  channel.postMessage("run");
  return run.apply(this, params);
};
"""
CLOSE_SESSIONS = """async (count) => {
  const channel = new BroadcastChannel("sessions");
  const ids = new Set();
  channel.onmessage = ({ data }) => data.id && ids.add(data.id);
  while (ids.size < 2) {
    channel.postMessage("list");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const close of [...ids].slice(0, count)) channel.postMessage({ close });
  channel.close();
}"""
PRETEND_TWO_CORES = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });\n"
DEEP = "[" * 100_000 + "]" * 100_000
END_PYTHON = "pyodide.runPython('import json; json.loads(\"[\" * 100_000)')"
CALL = "extractor('a').then(() => 'answered', ({ name }) => name)"
LIMIT_MS = 20_000
START_LONG_CALL = """() => {
  const texts = Array(200).fill("word ".repeat(200));
  globalThis.pending = extractor(texts).then(() => "answered", ({ name }) => name);
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[str]:
    """A site with two sessions that a test can close, and a page with a search box."""
    changed = hooked_worker()
    changed["workers/python.js"] = PRETEND_TWO_CORES + changed["workers/python.js"]
    session = (DIST / "workers" / "session.js").read_text(encoding="utf-8")
    changed["workers/session.js"] = session + SESSION_HOOK
    changed["box.html"] = (PAGES / "box.html").read_text(encoding="utf-8")
    folder = overlay(tmp_path_factory.mktemp("dead"), changed=changed)
    (folder / SUB_PATH / "deep").mkdir()
    (folder / SUB_PATH / "deep" / "index.json").write_text(f'{{"fingerprint": {DEEP}}}', "utf-8")
    Index.build(["A panda eats bamboo."], embedder).save(folder / SUB_PATH / "zoo")
    with serving(folder) as root:
        yield f"{root}{SUB_PATH}/"


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Tab]:
    """A page of its own for each test, as it dies."""
    opened = open_tab(browser, address)
    yield opened
    opened.page.context.close()


def outcome(tab: Tab, call: str) -> str:
    """Return `answered` or the name of the error; a call without an answer is an error too."""
    late = f"new Promise((resolve) => setTimeout(resolve, {LIMIT_MS}, 'unanswered'))"
    name: str = tab.page.evaluate(f"Promise.race([{call}, {late}])")
    return name


def close_sessions(page: Page, count: int) -> None:
    page.evaluate(CLOSE_SESSIONS, count)


def test_a_fatal_error_of_python_ends_every_call(tab: Tab) -> None:
    tab.page.evaluate(START_LONG_CALL)
    tab.page.evaluate("source => { inWorker(source) }", END_PYTHON)
    assert outcome(tab, "pending") == "WorkerError"
    assert outcome(tab, CALL) == "WorkerError"
    assert tab.page.evaluate("extractor.ended") is True
    message = tab.page.evaluate("extractor('a').catch(({ message }) => message)")
    assert "Python stopped (RangeError: Maximum call stack" in message
    assert message.endswith("Reload the page, or open the model again.")


def test_a_deeply_nested_index_is_an_error(tab: Tab) -> None:
    """It ends Python, unless Python refuses it first; the page is answered in both cases."""
    open_index = "extractor.openIndex('deep/').then(() => 'opened', ({ name }) => name)"
    assert outcome(tab, open_index) in ("WorkerError", "IndexFormatError")
    ended = tab.page.evaluate("extractor.ended")
    assert outcome(tab, CALL) == ("WorkerError" if ended else "answered")


def test_a_worker_that_closes_itself_ends_every_call(tab: Tab) -> None:
    tab.page.evaluate(START_LONG_CALL)
    tab.page.evaluate("() => { inWorker('self.close()') }")
    assert outcome(tab, "pending") == "WorkerError"
    assert tab.page.evaluate("extractor.ended") is True


def test_one_session_that_closes_itself_is_done_without(tab: Tab) -> None:
    tab.page.evaluate(START_LONG_CALL)
    close_sessions(tab.page, 1)
    assert outcome(tab, "pending") == "InferenceError"
    assert tab.page.evaluate("extractor.ended") is False
    assert [outcome(tab, CALL) for _ in range(3)] == ["answered"] * 3


def test_without_a_session_the_pipeline_ends(tab: Tab) -> None:
    tab.page.evaluate(START_LONG_CALL)
    close_sessions(tab.page, 2)
    assert outcome(tab, "pending") in ("InferenceError", "WorkerError")
    tab.page.wait_for_function("extractor.ended")
    assert outcome(tab, CALL) == "WorkerError"


@pytest.mark.parametrize("end", ["python", "sessions"])
def test_the_box_opens_a_new_pipeline(browser: Browser, address: str, end: str) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{address}box.html")
    box = page.get_by_role("combobox")
    box.fill("panda")
    expect(page.get_by_role("option")).to_have_count(1)
    if end == "python":
        page.evaluate("source => new BroadcastChannel('tests').postMessage({ source })", END_PYTHON)
    else:
        close_sessions(page, 2)
    page.wait_for_timeout(500)
    box.fill("bear")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.context.close()


def test_calls_that_are_aborted_before_they_begin_never_do(tab: Tab) -> None:
    runs, names, order = tab.page.evaluate(
        """async () => {
          let runs = 0;
          const channel = new BroadcastChannel("sessions");
          channel.onmessage = ({ data }) => (runs += data === "run");
          const controller = new AbortController();
          const { signal } = controller;
          const order = [];
          const calls = Array.from({ length: 1000 }, (_, i) =>
            extractor("word ".repeat(200), { signal })
              .catch(({ name }) => name)
              .finally(() => order.push(i)),
          );
          setTimeout(() => controller.abort(), 100);
          const names = new Set(await Promise.all(calls));
          await extractor("one more");
          channel.close();
          return [runs, [...names], order];
        }"""
    )
    assert set(names) <= {"AbortError", None}
    assert runs < 50
    assert order.index(999) < 984  # it does not wait for those that had begun
