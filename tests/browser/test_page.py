"""The demo page as a visitor meets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from conftest import DIST, overlay, serving
from twinvec import Embedder, cos_sim
from twinvec.site import SAMPLE_QUERY, SAMPLE_TEXTS

pytestmark = pytest.mark.browser


def open_page(browser: Browser, address: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(address)
    expect(page.locator("#versions")).not_to_be_empty()
    return page


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with serving(DIST) as address:
        opened = open_page(browser, address)
        yield opened
        opened.context.close()


def ranking(page: Page) -> list[tuple[str, str]]:
    rows = page.locator("#results li").all()
    return [(row.locator("span").inner_text(), row.locator("data").inner_text()) for row in rows]


def test_a_typed_query_ranks_as_natively(page: Page, embedder: Embedder) -> None:
    page.locator("#query").press_sequentially(SAMPLE_QUERY)
    expect(page.locator("#results data")).to_have_count(3)
    expect(page.locator("#results li").first).to_contain_text("giant panda")
    query = embedder.encode([embedder.info.query_prompt + SAMPLE_QUERY])
    scores = cos_sim(query, embedder.encode(SAMPLE_TEXTS))[0]
    expected = sorted(zip(SAMPLE_TEXTS, scores, strict=True), key=lambda pair: -pair[1])
    assert ranking(page) == [(text, f"{score:.4f}") for text, score in expected]


def test_texts_of_ones_own_are_ranked_and_stay_text(page: Page) -> None:
    page.fill("#query", "markup")
    page.fill("#texts", "<img src=x onerror=alert(1)> is markup\n\nThe weather is fine")
    page.click("#add button")
    expect(page.locator("#added")).to_have_text("2 texts added")
    expect(page.locator("#results li").first).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#results img")).to_have_count(0)
    expect(page.locator("#texts")).to_have_value("")
    expect(page.locator("#results li")).to_have_count(5)
    expect(page.locator("#truncated")).to_be_empty()


def test_a_text_that_is_cut_is_told(page: Page) -> None:
    expect(page.locator("#truncated")).to_be_empty()
    page.fill("#texts", "short\n" + "word " * 300)
    page.click("#add button")
    cut = "1 text longer than 256 tokens: only the beginning counts."
    expect(page.locator("#truncated")).to_have_text(cut)


def test_fast_typing_asks_for_the_last_query_only(page: Page) -> None:
    page.evaluate(
        """() => {
          globalThis.searches = 0;
          const { postMessage } = Worker.prototype;
          Worker.prototype.postMessage = function (message, ...rest) {
            if (message.method === "search") searches += 1;
            return postMessage.call(this, message, ...rest);
          };
          const query = document.querySelector("#query");
          for (let i = 0; i < 200; i++) {
            query.value = "weather ".repeat(i % 100 + 1);
            query.dispatchEvent(new Event("input"));
          }
          query.value = "What is the weather like?";
          query.dispatchEvent(new Event("input"));
        }"""
    )
    first = page.locator("#results li").first
    expect(first).to_contain_text("The weather is fine")
    assert 1 <= page.evaluate("searches") <= 3


def test_while_adding_the_box_takes_no_text_and_keeps_the_focus(page: Page) -> None:
    page.fill("#texts", "\n".join(f"line {number}" for number in range(40)))
    page.focus("#add button")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # does not begin again, nor end what is under way
    expect(page.locator("#texts")).to_have_attribute("readonly", "")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    expect(page.locator("#added")).to_have_text("40 texts added")
    expect(page.locator("#texts")).to_be_editable()


def test_an_emptied_query_shows_all_texts(page: Page) -> None:
    page.fill("#query", "anything")
    expect(page.locator("#results data")).not_to_have_count(0)
    page.fill("#query", "")
    expect(page.locator("#results data")).to_have_count(0)
    expect(page.locator("#results li").first).to_have_text(SAMPLE_TEXTS[0])


def test_it_says_what_answers(page: Page, embedder: Embedder) -> None:
    for part in (
        embedder.info.name,
        "(fp32: exact parity)",
        "Pyodide 314.0.3",
        "ONNX Runtime Web 1.30.0",
        "Its vectors were checked: ",
    ):
        expect(page.locator("#versions")).to_contain_text(part)


def test_it_is_usable_by_keyboard(page: Page) -> None:
    page.locator("h1").click()
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["query", "texts", "BUTTON"]


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.fill("#texts", "unbroken" * 40)
    page.click("#add button")
    expect(page.locator("#added")).to_have_text("1 text added")
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 320


def test_a_query_typed_while_loading_is_answered(browser: Browser) -> None:
    with serving(DIST) as address:
        page = browser.new_context().new_page()
        page.goto(address)
        expect(page.locator("#results li")).to_have_count(3)
        page.fill("#query", SAMPLE_QUERY)
        page.keyboard.press("Enter")
        expect(page.locator("#results data")).to_have_count(3)
        assert page.url == address  # the form was not sent
        page.context.close()


def test_loading_shows_every_step_and_never_blocks_the_page(browser: Browser) -> None:
    with serving(DIST) as address:
        page = browser.new_context().new_page()
        # The longest time between two timer ticks, in milliseconds.
        page.add_init_script(
            """let last = performance.now(); globalThis.longest = 0;  // from the page's start
            setInterval(() => {
              const now = performance.now();
              globalThis.longest = Math.max(longest, now - last);
              last = now;
            }, 10);"""
        )
        page.goto(address)
        expect(page.locator("#versions")).not_to_be_empty()
        steps = page.locator("#steps li span").all_inner_texts()
        for step in ("pyodide", "numpy", "twinvec", "onnxruntime-web"):
            assert step in steps
        assert any(step.startswith("onnx/model.onnx of ") for step in steps)
        assert page.locator("#steps progress").evaluate_all(
            "bars => bars.every(b => b.value === 100)"
        )
        # Booting Python takes most of the time; on the page's own thread it would show here.
        share = page.evaluate("longest / performance.now()")
        print(f"longest gap: {share:.3f} of the load")
        assert share < 0.25
        page.context.close()


def test_a_failure_is_told(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = overlay(tmp_path_factory.mktemp("broken"))
    (folder / "docs/search/index").unlink()
    with serving(folder) as address:
        page = browser.new_context().new_page()
        page.goto(f"{address}docs/search/")
        expect(page.get_by_role("alert")).to_contain_text(
            "index/index.json: the server answered 404"
        )
        page.context.close()
