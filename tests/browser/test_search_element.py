"""`<twinvec-search>` on another site's page: mouse, keyboard, screen reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from conftest import SUB_PATH, overlay, serving
from twinvec import Embedder, Index

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>somebody's page</title>
<meta http-equiv="Content-Security-Policy"
  content="default-src 'self'; script-src 'self' 'wasm-unsafe-eval'">
<link rel="icon" href="docs/search/demo/icon.svg">
<script type="module" src="docs/search/twinvec-search.js"></script>
<h1>Zoo</h1>
<twinvec-search index="docs/search/zoo/" label="Search the zoo" k="2" mode="semantic">
</twinvec-search>
<p><a href="#below">below</a></p>"""

TEXTS = {
    "Pandas\nThe giant panda eats bamboo.": {
        "heading": "Animals > Pandas",
        "url": "guide.html#pandas",
    },
    "A lion sleeps for twenty hours a day.": {"source": "lions.html", "anchor": "sleep"},
    "Opening hours are nine to five.": {"source": "hours.md"},
    "<img src=x onerror=alert(1)> is markup": {"url": "javascript:alert(1)"},
}
HOLD = """(part) => {
  const real = globalThis.fetch;
  const held = new Promise((resolve, reject) => {
    globalThis.release = resolve;
    globalThis.refuse = reject;
  });
  globalThis.fetch = async (url, ...rest) => {
    if (`${url}`.includes(part)) await held;
    return real(url, ...rest);
  };
}"""
"""Holds the page's requests back until `release()` or `refuse()` is called."""


@pytest.fixture(scope="module")
def address(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page above the folder that twinvec was built into, as a site's own pages are."""
    folder = overlay(tmp_path_factory.mktemp("zoo"))
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "guide.html").write_text("<!doctype html><title>guide</title>", encoding="utf-8")
    (folder / "lions.html").write_text("<!doctype html><title>lions</title>", encoding="utf-8")
    index = Index.build(list(TEXTS), embedder, metadata=list(TEXTS.values()))
    index.save(folder / SUB_PATH / "zoo")
    with serving(folder) as root:
        yield root


@pytest.fixture
def fresh(browser: Browser, address: str) -> Iterator[Page]:
    """The page before anybody used it."""
    page = browser.new_context().new_page()
    page.goto(address)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page with its search loaded, for tests that undo their changes."""
    page = browser.new_context().new_page()
    page.goto(address)
    search(page, "panda", "giant panda")
    yield page
    page.context.close()


def box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the zoo")


def search(page: Page, query: str, first: str) -> Locator:
    """Type a query, and wait for hits of which the first contains a text."""
    box(page).fill(query)
    options = page.get_by_role("option")
    expect(options.first).to_contain_text(first)
    expect(options).to_have_count(2)
    return options


def test_nothing_is_loaded_before_the_first_focus(fresh: Page) -> None:
    requested: list[str] = []
    complaints: list[str] = []
    fresh.context.on("request", lambda request: requested.append(request.url))
    fresh.on("console", lambda message: complaints.append(message.text))
    expect(box(fresh)).to_be_visible()
    fresh.wait_for_timeout(300)
    assert [
        url for url in requested if not url.endswith("icon.svg")
    ] == []  # which the page itself asks for
    box(fresh).focus()
    bar = fresh.get_by_role("progressbar", name="Loading")
    expect(bar).to_be_visible()
    expect(fresh.locator("twinvec-search .status")).to_contain_text(
        re.compile(r"Loading: (.* of .* MB|nearly ready)")
    )
    expect(fresh.get_by_role("status")).to_have_text("Loading")  # no figures are read out
    box(fresh).press_sequentially("panda")  # answered when it is ready
    expect(fresh.get_by_role("option")).to_have_count(2)
    expect(bar).to_be_hidden()
    expect(fresh.get_by_role("status")).to_have_text("2 results")
    expect(fresh.locator("twinvec-search .status")).to_have_text("2 results")
    assert any(url.endswith("workers/python.js") for url in requested)
    assert complaints == []  # the Content-Security-Policy would complain here


def test_hits_are_those_of_python(opened: Page, address: str, embedder: Embedder) -> None:
    options = search(opened, "What does a bear eat?", "giant panda")
    index = Index.load(f"{address}{SUB_PATH}/zoo")
    expected = index.search("What does a bear eat?", embedder, k=2)
    passages = opened.locator("twinvec-search .passage").all_inner_texts()
    assert passages[0] == "The giant panda eats bamboo."  # without its heading, which stands above
    assert expected[0].text.endswith(passages[0])
    assert passages[1] == expected[1].text
    expect(options.first).to_contain_text("Animals > Pandas")
    expect(options.first).to_have_attribute("href", f"{address}guide.html#pandas")


def test_links_lead_to_the_place_and_never_run_scripts(opened: Page, address: str) -> None:
    expect(search(opened, "sleeping lion", "A lion sleeps").first).to_have_attribute(
        "href", f"{address}lions.html#sleep"
    )
    assert (
        search(opened, "opening hours", "Opening hours").first.get_attribute("href") is None
    )  # of Markdown
    first = search(opened, "onerror markup", "is markup").first
    assert first.get_attribute("href") is None
    expect(first).to_contain_text("<img src=x onerror=alert(1)>")
    expect(opened.locator("twinvec-search img")).to_have_count(0)


def test_it_is_used_by_keyboard(fresh: Page, address: str) -> None:
    fresh.keyboard.press("Tab")
    expect(box(fresh)).to_be_focused()
    options = search(fresh, "panda", "giant panda")
    field = box(fresh)
    expect(field).to_have_attribute("aria-expanded", "true")
    fresh.keyboard.press("ArrowDown")
    selected = options.first.get_attribute("id") or "none"
    expect(field).to_have_attribute("aria-activedescendant", selected)
    expect(options.first).to_have_attribute("aria-selected", "true")
    fresh.keyboard.press("ArrowUp")  # from the first to the last
    expect(options.last).to_have_attribute("aria-selected", "true")
    fresh.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(fresh.get_by_role("listbox")).to_be_hidden()
    expect(field).to_have_value("panda")
    fresh.keyboard.press("ArrowDown")
    expect(fresh.get_by_role("listbox")).to_be_visible()
    fresh.keyboard.press("Enter")
    fresh.wait_for_url(f"{address}guide.html#pandas")
    fresh.go_back()
    fresh.keyboard.press("Tab")
    fresh.keyboard.press("Tab")
    assert fresh.evaluate("document.activeElement.textContent") == "below"


def test_a_second_escape_empties_it_and_leaving_closes_it(opened: Page) -> None:
    search(opened, "panda", "giant panda")
    opened.keyboard.press("Escape")
    opened.keyboard.press("Escape")
    expect(box(opened)).to_have_value("")
    search(opened, "lion", "A lion sleeps")
    opened.get_by_text("below").focus()
    expect(opened.get_by_role("listbox")).to_be_hidden()
    box(opened).focus()
    expect(opened.get_by_role("listbox")).to_be_visible()


def test_roles_names_and_relations(opened: Page) -> None:
    search(opened, "panda", "giant panda")
    field = box(opened)
    assert field.get_attribute("aria-autocomplete") == "list"
    assert field.get_attribute("aria-controls") == opened.get_by_role("listbox").get_attribute("id")
    expect(opened.get_by_role("listbox", name="Search the zoo")).to_have_count(1)
    roles = (
        "[...document.querySelector('twinvec-search').shadowRoot.querySelector('#hits').children]"
    )
    assert opened.evaluate(f"{roles}.every((row) => row.role === 'option' && row.tabIndex < 0)")
    ids = opened.evaluate(f"{roles}.map((row) => row.id)")
    assert len(set(ids)) == len(ids)
    expect(opened.get_by_role("status")).to_have_text("2 results")
    lines = opened.locator("twinvec-search .hit > *")
    assert lines.evaluate_all("(lines) => lines.every(({ dir }) => dir === 'auto')")


def test_a_page_can_take_a_hit_itself(opened: Page, address: str) -> None:
    opened.evaluate(
        """() => document.addEventListener("hit", (event) => {
          event.preventDefault();
          globalThis.taken = event.detail;
        }, { once: true })"""
    )
    search(opened, "panda", "giant panda").first.click()
    assert opened.evaluate("taken.metadata.heading") == "Animals > Pandas"
    assert opened.url == address


def test_stale_answers_are_dropped(opened: Page) -> None:
    opened.evaluate(
        """() => {
          globalThis.shown = [];
          const box = document.querySelector("twinvec-search");
          const list = box.shadowRoot.querySelector("#hits");
          const watcher = new MutationObserver(() => shown.push(list.textContent));
          watcher.observe(list, { childList: true });
          globalThis.searches = 0;
          const { postMessage } = Worker.prototype;
          Worker.prototype.postMessage = function (message, ...rest) {
            if (message.method === "search") searches += 1;
            return postMessage.call(this, message, ...rest);
          };
          for (let i = 0; i < 200; i++) box.value = "lion ".repeat(i % 50 + 1);
          box.value = "giant panda";
        }"""
    )
    expect(opened.get_by_role("option").first).to_contain_text("giant panda")
    opened.wait_for_timeout(300)
    assert 1 <= opened.evaluate("searches") <= 3
    assert all("giant panda" in text[:60] for text in opened.evaluate("shown"))


def test_it_takes_a_pages_colors(opened: Page) -> None:
    opened.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            twinvec-search { --accent: red; --twinvec-accent: rgb(1, 2, 3); }
            twinvec-search::part(input) { border-width: 7px; }`);
          document.adoptedStyleSheets = [sheet];
        }"""
    )
    search(opened, "panda", "giant panda")
    expect(opened.locator("twinvec-search .heading").first).to_have_css("color", "rgb(1, 2, 3)")
    expect(box(opened)).to_have_css("border-top-width", "7px")


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("**/zoo/index.json", "zoo/index.json cannot be reached"),
        ("**/models/manifest.json", "models/manifest.json cannot be reached"),
        ("**/zoo/lines-*", "cannot be reached"),
        ("**/runtime/numpy.zip", "numpy.zip cannot be reached"),
        ("**/documents-*", "cannot be reached"),
    ],
)
def test_a_failure_is_shown_and_tried_again(fresh: Page, failing: str, message: str) -> None:
    def fail(route: Route) -> None:
        route.abort()

    fresh.context.route(failing, fail)
    box(fresh).fill("panda")
    expect(fresh.get_by_role("alert")).to_contain_text(message)
    expect(fresh.get_by_role("option")).to_have_count(0)
    expect(box(fresh)).to_have_attribute("aria-expanded", "false")
    fresh.context.unroute(failing, fail)
    fresh.get_by_role("button", name="Try again").click()
    expect(fresh.get_by_role("option")).to_have_count(2)
    expect(fresh.get_by_role("alert")).to_be_hidden()
    expect(box(fresh)).to_be_focused()


def test_a_worker_that_died_is_replaced(opened: Page) -> None:
    search(opened, "panda", "giant panda")
    opened.evaluate(
        """async () => {
          const { extractor } = await document.querySelector("twinvec-search").load();
          await extractor.dispose();
        }"""
    )
    box(opened).fill("lion")
    opened.get_by_role("button", name="Try again").click()
    expect(opened.get_by_role("option").first).to_contain_text("lion")


def test_two_boxes_share_one_model(browser: Browser, address: str) -> None:
    page = browser.new_context().new_page()
    page.goto(address)
    page.evaluate(
        """() => {
          const other = document.createElement("twinvec-search");
          other.setAttribute("index", "docs/search/index");
          other.setAttribute("label", "Other");
          document.body.append(other);
        }"""
    )
    search(page, "panda", "giant panda")
    workers = len(page.workers)
    page.get_by_role("combobox", name="Other").fill("panda")
    expect(page.locator("twinvec-search").last.get_by_role("option")).to_have_count(3)
    assert len(page.workers) == workers
    page.context.close()


def test_it_takes_the_weights_and_the_mode_that_the_index_has(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    folder = overlay(tmp_path)
    page_html = PAGE.replace("docs/search/zoo/", "docs/search/small").replace('mode="semantic"', "")
    (folder / "index.html").write_text(page_html, encoding="utf-8")
    with closing(Embedder.from_pretrained(embedder.info.name, dtype="w8")) as small:
        Index.build(list(TEXTS), small, lexical=False).save(folder / SUB_PATH / "small")
    with serving(folder) as root:
        page = browser.new_context().new_page()
        requested: list[str] = []
        page.context.on("request", lambda request: requested.append(request.url))
        page.goto(root)
        search(page, "panda", "giant panda")
        assert next(url for url in requested if ".onnx" in url).endswith("model_w8.onnx")
        page.context.close()


def press(page: Page, typed: str, key: str, code: int) -> None:
    """Type, and press a key before there is any answer."""
    page.evaluate(
        """([typed, key, keyCode]) => {
          const input = document.querySelector("twinvec-search").shadowRoot.querySelector("input");
          input.value = typed;
          input.dispatchEvent(new Event("input"));
          const options = { key, keyCode, bubbles: true, cancelable: true };
          input.dispatchEvent(new KeyboardEvent("keydown", options));
        }""",
        [typed, key, code],
    )


def test_enter_opens_a_hit_of_what_is_typed(opened: Page) -> None:
    opened.evaluate(
        """() => {
          globalThis.taken = [];
          globalThis.take = (event) => {
            event.preventDefault();
            taken.push(event.detail.text);
          };
          document.addEventListener("hit", take);
        }"""
    )
    search(opened, "panda", "giant panda")
    press(opened, "sleeping lion", "Enter", 229)  # it ends a composition
    expect(opened.get_by_role("option").first).to_contain_text("lion")
    assert opened.evaluate("taken") == []
    press(opened, "giant panda", "Enter", 13)
    expect(opened.get_by_role("option").first).to_contain_text("giant panda")
    assert opened.evaluate("taken") == [next(iter(TEXTS))]
    opened.evaluate("document.removeEventListener('hit', take)")


def test_an_index_that_was_replaced_on_the_server_is_opened_again(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    folder = overlay(tmp_path)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    zoo = folder / SUB_PATH / "zoo"
    Index.build(list(TEXTS), embedder).save(zoo)
    with serving(folder) as root:
        page = browser.new_context().new_page()
        page.goto(root)
        search(page, "panda", "giant panda")
        for file in zoo.iterdir():
            file.unlink()
        Index.build(["A newer lion.", "A newer panda."], embedder).save(zoo)
        box(page).fill("sleep")
        expect(page.get_by_role("alert")).to_contain_text("404")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("option").first).to_contain_text("newer")
        search(page, "lion", "A newer lion")
        page.context.close()


def test_a_value_set_before_the_element_is_defined_counts(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    folder = overlay(tmp_path)
    page_html = f'{PAGE}<script src="early.js"></script>'
    (folder / "index.html").write_text(page_html, encoding="utf-8")
    (folder / "early.js").write_text("document.querySelector('twinvec-search').value = 'panda';")
    Index.build(list(TEXTS), embedder).save(folder / SUB_PATH / "zoo")
    with serving(folder) as root:
        page = browser.new_context().new_page()
        page.goto(root)
        expect(page.get_by_role("option").first).to_contain_text("giant panda")
        search(page, "lion", "A lion sleeps")
        assert page.evaluate("document.querySelector('twinvec-search').value") == "lion"
        page.context.close()


def test_another_index_is_opened_and_the_old_one_disposed_of(fresh: Page) -> None:
    search(fresh, "panda", "eats bamboo")
    fresh.evaluate(HOLD, "search/index/")
    fresh.evaluate(
        """async () => {
          globalThis.box = document.querySelector("twinvec-search");
          globalThis.before = (await box.load()).index;
          box.setAttribute("index", "docs/search/index");
        }"""
    )
    expect(fresh.get_by_role("progressbar", name="Loading")).to_be_visible()
    expect(fresh.get_by_role("option")).to_have_count(0)  # those of the old index are gone
    fresh.evaluate("release()")
    expect(fresh.get_by_role("option").first).to_contain_text("love pandas")
    message = fresh.evaluate("before.search('panda').catch(({ message }) => message)")
    assert "disposed of" in message


def test_a_late_failure_of_the_old_index_is_ignored(fresh: Page) -> None:
    fresh.evaluate(HOLD, "docs/search/zoo/")
    same, message = fresh.evaluate(
        """async () => {
          const box = document.querySelector("twinvec-search");
          const old = box.load().catch(({ message }) => message);
          box.setAttribute("index", "docs/search/index");
          const now = box.load();
          await now;
          refuse(new Error("late"));
          const message = await old;
          return [box.load() === now, message];
        }"""
    )
    assert same
    assert "late" in message
    expect(fresh.get_by_role("alert")).to_be_hidden()


def test_a_box_that_leaves_the_page_disposes_of_its_index(fresh: Page) -> None:
    search(fresh, "panda", "giant panda")
    moved, message = fresh.evaluate(
        """async () => {
          const box = document.querySelector("twinvec-search");
          const { index } = await box.load();
          document.body.append(box);
          await new Promise((resolve) => setTimeout(resolve, 50));
          const moved = (await box.load()).index === index;
          box.remove();
          await new Promise((resolve) => setTimeout(resolve, 50));
          const message = await index.search("panda").catch(({ message }) => message);
          document.body.append(box);
          return [moved, message];
        }"""
    )
    assert moved
    assert "disposed of" in message
    search(fresh, "lion", "A lion sleeps")


def test_leaving_while_it_loads_keeps_the_panel_closed(fresh: Page) -> None:
    fresh.evaluate(HOLD, "docs/search/zoo/")
    box(fresh).fill("panda")
    panel = fresh.locator("twinvec-search .panel")
    expect(panel).to_be_visible()
    fresh.get_by_text("below").focus()
    expect(panel).to_be_hidden()
    fresh.evaluate("release(); document.querySelector('twinvec-search').load()")
    expect(fresh.locator("twinvec-search .hit")).to_have_count(2)
    expect(panel).to_be_hidden()
    box(fresh).focus()
    expect(fresh.get_by_role("option")).to_have_count(2)


def test_typing_while_it_loads_shows_the_progress(fresh: Page) -> None:
    fresh.evaluate(HOLD, "docs/search/zoo/")
    fresh.evaluate("document.querySelector('twinvec-search').load(); undefined")
    bar = fresh.get_by_role("progressbar", name="Loading")
    expect(bar).to_be_hidden()
    box(fresh).press_sequentially("panda")
    expect(bar).to_be_visible()
    fresh.evaluate("release()")
    expect(fresh.get_by_role("option")).to_have_count(2)


def test_a_failure_is_dismissed_and_a_dialog_around_it_closes(fresh: Page) -> None:
    fresh.context.route("**/zoo/index.json", lambda route: route.abort())
    panel, alert = fresh.locator("twinvec-search .panel"), fresh.get_by_role("alert")
    box(fresh).fill("panda")
    expect(alert).to_be_visible()
    fresh.get_by_text("below").focus()
    expect(panel).to_be_hidden()
    box(fresh).focus()  # tries again
    expect(alert).to_be_visible()
    fresh.keyboard.press("Tab")
    expect(fresh.get_by_role("button", name="Try again")).to_be_focused()
    fresh.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(box(fresh)).to_be_focused()
    fresh.evaluate(
        """() => {
          const dialog = document.body.appendChild(document.createElement("dialog"));
          dialog.append(document.querySelector("twinvec-search"));
          dialog.showModal();
        }"""
    )
    expect(alert).to_be_visible()
    dialog = fresh.get_by_role("dialog")
    fresh.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    fresh.keyboard.press("Escape")
    expect(box(fresh)).to_have_value("")
    expect(dialog).to_be_visible()
    fresh.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("base", "https://elsewhere.example/search/", "must be on the page's own origin"),
        ("mode", "words", 'mode must be one of hybrid, semantic, lexical, not "words"'),
        ("k", "many", 'k must be a whole number >= 1, not "many"'),
    ],
)
def test_a_wrong_attribute_is_refused_before_anything_is_loaded(
    fresh: Page, name: str, value: str, message: str
) -> None:
    requested: list[str] = []
    fresh.context.on("request", lambda request: requested.append(request.url))
    change = "(attribute) => document.querySelector('twinvec-search').setAttribute(...attribute)"
    fresh.evaluate(change, [name, value])
    box(fresh).fill("panda")
    expect(fresh.get_by_role("alert")).to_contain_text(message)
    assert [url for url in requested if not url.endswith("icon.svg")] == []
    fresh.evaluate(change, [name, {"base": "docs/search", "mode": "semantic", "k": "2"}[name]])
    expect(fresh.get_by_role("option")).to_have_count(2)


def test_two_boxes_that_try_again_open_one_pipeline(fresh: Page) -> None:
    workers = fresh.evaluate(
        """async () => {
          const box = document.querySelector("twinvec-search");
          const other = box.cloneNode();
          document.body.append(other);
          const { extractor } = await box.load();
          await extractor.dispose();
          for (const element of [box, other]) element.setAttribute("index", "docs/search/index");
          const opened = await Promise.all([box.load(), other.load()]);
          return opened[0].extractor === opened[1].extractor;
        }"""
    )
    assert workers is True


def test_metadata_other_than_texts_are_shown(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    folder = overlay(tmp_path)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    metadata: list[dict[str, Any]] = [{"heading": 7, "source": 8}, {"heading": ["a", "b"]}]
    index = Index.build(["A panda\neats.", "A bear."], embedder, metadata=metadata)
    index.save(folder / SUB_PATH / "zoo")
    with serving(folder) as root:
        page = browser.new_context(forced_colors="active").new_page()
        page.goto(root)
        search(page, "panda", "7")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("option").first).to_have_css("outline-style", "solid")
        page.context.close()
