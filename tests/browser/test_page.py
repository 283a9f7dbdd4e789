"""The demo page as a visitor meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, FilePayload, Page, expect

from conftest import DIST, overlay, serving
from twinvec import Embedder, Index
from twinvec.documents.readers import read_sections
from twinvec.index.search import Mode
from twinvec.site.sample import SAMPLE_QUERY

pytestmark = pytest.mark.browser

QUERY = "How do I read a file line by line?"


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


def search(page: Page, query: str, count: int = 10) -> None:
    page.get_by_role("combobox").fill(query)
    expect(page.get_by_role("option")).to_have_count(count)


def choose(page: Page, name: str) -> None:
    page.locator("#choices").get_by_text(name, exact=True).click()


def upload(page: Page, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    page.set_input_files("#files", [FilePayload(name=name, mimeType="", buffer=data)])


def headings(page: Page) -> list[str]:
    return page.locator("twinvec-search .heading").all_inner_texts()


@pytest.mark.parametrize(
    ("choice", "mode"),
    [("meaning", "semantic"), ("words", "lexical"), ("meaning and words", "hybrid")],
)
def test_it_ranks_the_documentation_as_python_does(
    page: Page, embedder: Embedder, choice: str, mode: Mode
) -> None:
    choose(page, choice)
    search(page, QUERY)
    index = Index.load(DIST / "search")
    expected = index.search(QUERY, embedder, k=10, mode=mode)
    shown = page.locator("twinvec-search .heading")
    expect(shown).to_have_text([hit.metadata["heading"] for hit in expected])
    links = [option.get_attribute("href") for option in page.get_by_role("option").all()]
    assert links == [hit.metadata.get("url") for hit in expected]
    assert any(link and link.startswith("https://docs.python.org/") for link in links)


def test_own_texts_are_ranked_and_stay_text(page: Page) -> None:
    choose(page, "meaning")
    page.fill("#texts", "<img src=x onerror=alert(1)> is markup\n\nThe weather is fine")
    page.click("#add button")
    expect(page.locator("#added")).to_have_text("2 texts added")
    search(page, "markup", 2)
    expect(page.get_by_role("option").first).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("twinvec-search img")).to_have_count(0)
    expect(page.locator("#texts")).to_have_value("")
    expect(page.locator("#truncated")).to_be_empty()
    choose(page, "Python's documentation")
    expect(page.get_by_role("option")).to_have_count(10)


def test_a_truncated_text_is_reported(page: Page) -> None:
    page.fill("#texts", "short\n" + "word " * 300)
    page.click("#add button")
    cut = "1 text longer than 256 tokens: only the beginning counts."
    expect(page.locator("#truncated")).to_have_text(cut)


def test_files_are_cut_into_passages(page: Page) -> None:
    upload(
        page,
        "guide.md",
        "# Zoo\n\nOpen at nine.\n\n## Zebras\n\n```\n# no heading\n```\n\n" + "They run. " * 200,
    )
    expect(page.locator("#added")).to_contain_text("passages added")
    choose(page, "words")
    search(page, "zebras", 4)
    assert set(headings(page)) == {"Zoo > Zebras"}
    search(page, "no heading", 1)
    assert headings(page) == ["Zoo > Zebras"]
    html = "<title>t</title><nav>menu</nav><h2>Bridges</h2><p>Arches <b>carry</b> load.</p>"
    upload(page, "bridges.HTML", f"{html}<script>nothing</script><pre>a\n  b</pre>")
    expect(page.locator("#added")).to_have_text("1 passage added")
    search(page, "arches", 1)
    expect(page.get_by_role("option")).to_contain_text("Arches carry load.")
    assert page.get_by_role("option").get_attribute("href") is None  # it is not on this site
    search(page, "menu nothing", 0)
    upload(page, "notes.txt", "One.\n\nTwo.")
    expect(page.locator("#added")).to_have_text("1 passage added")
    search(page, "two", 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", "# Zoo\n## Bees\n## Cats\nx\n\ny\n### Lions\n# Farm\n## Pigs\n"),
        (
            "a.html",
            """<h1>Zoo</h1><h2>Bees</h2><h2>Cats</h2><p>x</p><p>y</p><h3>Lions</h3>
            <h1>Farm</h1><div><h2>Pigs</h2><p> </p></div><nav>no</nav>""",
        ),
        ("b.md", "# Zoo\n"),
    ],
)
def test_headings_are_read_as_python_reads_them(
    page: Page, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    expected = [
        {"paragraphs": list(section.paragraphs), "headings": list(section.headings)}
        for section in read_sections(tmp_path / name, name)
    ]
    sections = page.evaluate(
        """async ([name, content]) => {
          const { readSections } = await import(new URL("demo/read-files.js", location.href).href);
          return readSections(new File([content], name));
        }""",
        [name, content],
    )
    assert sections == expected
    assert [section["headings"][-1] for section in sections][-1] in ("Pigs", "Zoo")


def test_a_newer_version_of_a_file_replaces_it(page: Page) -> None:
    upload(page, "notes.txt", "Three elephants.")
    expect(page.locator("#added")).to_have_text("1 passage added")
    choose(page, "words")
    search(page, "elephants", 1)
    search(page, "two", 0)


def test_files_are_dropped(page: Page) -> None:
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["A giraffe."], "dropped.txt"));
          const own = document.querySelector("#own");
          const options = { dataTransfer, bubbles: true, cancelable: true };
          own.dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    expect(page.locator("#added")).to_have_text("1 passage added")
    choose(page, "words")
    search(page, "giraffe", 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photo.png", b"\x89PNG", "photo.png: only .txt, .md, .markdown, .html, .htm can be read"),
        ("latin.txt", b"caf\xe9", "latin.txt is not valid UTF-8"),
        ("none.zip", b"PK", "cannot be read as a ZIP archive"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported(
    page: Page, name: str, content: bytes, message: str
) -> None:
    upload(page, name, content)
    expect(page.locator("#failure")).to_contain_text(message)
    expect(page.locator("#texts")).to_be_editable()


def test_while_adding_the_box_takes_no_text_and_keeps_the_focus(page: Page) -> None:
    page.fill("#texts", "\n".join(f"line {number}" for number in range(40)))
    page.focus("#add button")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # neither starts again nor stops the first
    expect(page.locator("#texts")).to_have_attribute("readonly", "")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    expect(page.locator("#added")).to_have_text("40 texts added")
    expect(page.locator("#texts")).to_be_editable()


def test_it_names_model_and_runtimes(page: Page, embedder: Embedder) -> None:
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
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["INPUT", "INPUT", "TWINVEC-SEARCH", "texts", "BUTTON", "files"]


def test_everything_has_a_name(page: Page) -> None:
    for role in ("textbox", "button", "radio", "combobox"):
        for element in page.get_by_role(role).all():
            snapshot = element.aria_snapshot()
            assert '"' in snapshot, snapshot


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.fill("#texts", "unbroken" * 40)
    page.click("#add button")
    expect(page.locator("#added")).to_have_text("1 text added")
    search(page, "unbroken" * 40, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.set_viewport_size({"width": 1280, "height": 720})


def test_a_query_typed_while_loading_is_answered(browser: Browser) -> None:
    with serving(DIST) as address:
        page = browser.new_context().new_page()
        page.goto(address)
        page.get_by_role("combobox").fill(QUERY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("option")).to_have_count(10)
        assert page.url == address  # nothing was sent
        page.context.close()


def test_without_the_documentation_it_searches_the_sample(browser: Browser, tmp_path: Path) -> None:
    folder = overlay(tmp_path)
    (folder / "docs/search/search").unlink()  # as `twinvec site` makes it
    with serving(folder) as address:
        page = open_page(browser, f"{address}docs/search/")
        search(page, SAMPLE_QUERY, 3)
        expect(page.get_by_role("option").first).to_contain_text("giant panda")
        page.context.close()


def test_a_host_that_answers_everything_with_a_page(browser: Browser, tmp_path: Path) -> None:
    folder = overlay(tmp_path)
    site = folder / "docs/search"
    (site / "search").unlink()
    (site / "search").mkdir()
    (site / "search" / "index.json").write_text("<!doctype html><title>not found</title>", "utf-8")
    with serving(folder) as address:
        page = open_page(browser, f"{address}docs/search/")
        search(page, SAMPLE_QUERY, 3)
        page.context.close()


def test_an_index_without_terms_is_searched_by_meaning(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    folder = overlay(tmp_path)
    (folder / "docs/search/search").unlink()
    (folder / "docs/search/index").unlink()
    Index.build(["A panda.", "A lion."], embedder, lexical=False).save(folder / "docs/search/index")
    with serving(folder) as address:
        page = open_page(browser, f"{address}docs/search/")
        search(page, "bear", 2)
        expect(page.get_by_role("option").first).to_contain_text("panda")
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
        page.click("summary")
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


def test_a_failure_is_shown(browser: Browser, tmp_path: Path) -> None:
    folder = overlay(tmp_path)
    for name in ("index", "search"):
        (folder / "docs/search" / name).unlink()
    with serving(folder) as address:
        page = browser.new_context().new_page()
        page.goto(f"{address}docs/search/")
        message = "index/index.json: the server answered 404"
        expect(page.get_by_role("alert").first).to_contain_text(message)
        page.context.close()


def test_texts_that_are_not_kept_are_not_lost(browser: Browser, tmp_path: Path) -> None:
    questions: list[str] = []
    with serving(DIST) as address:
        page = open_page(browser, address)
        page.fill("#texts", "A panda eats.")
        page.click("#add button")
        expect(page.locator("#added")).to_have_text("1 text added")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as a file").click()
        download.value.save_as(tmp_path / "Zoo.zip")
        page.fill("#texts", "A lion sleeps.")
        page.click("#add button")
        expect(page.locator("#own-name")).to_have_text("your texts (2)")

        def answer(dialog: Dialog) -> None:
            questions.append(dialog.message)
            if len(questions) == 1:
                dialog.dismiss()
            else:
                dialog.accept()

        page.on("dialog", answer)
        page.set_input_files("#files", tmp_path / "Zoo.zip")
        expect(page.locator("#added")).to_contain_text("was not opened: keep your texts first")
        expect(page.locator("#own-name")).to_have_text("your texts (2)")
        page.set_input_files("#files", tmp_path / "Zoo.zip")
        expect(page.locator("#own-name")).to_have_text("your texts (1)")
        assert questions == ["Your texts (2) are not kept. Open “Zoo” without them?"] * 2
        page.set_input_files("#files", tmp_path / "Zoo.zip")  # nothing is lost by that
        expect(page.locator("#added")).to_have_text("“Zoo” opened")
        assert len(questions) == 2
        page.context.close()


def test_texts_are_kept_and_saved_as_a_file(browser: Browser, tmp_path: Path) -> None:
    with serving(DIST) as address:
        page = open_page(browser, address)
        page.fill("#texts", "A panda eats.\nA lion sleeps.")
        page.click("#add button")
        expect(page.locator("#added")).to_have_text("2 texts added")
        page.fill("#name", "Zoo")
        page.get_by_role("button", name="Keep in this browser").click()
        expect(page.locator("#kept li")).to_contain_text("2 passages")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as a file").click()
        assert download.value.suggested_filename == "Zoo.zip"
        download.value.save_as(tmp_path / "Zoo.zip")
        page.reload()
        page.get_by_role("button", name="Open Zoo").click()
        expect(page.locator("#own-name")).to_have_text("your texts (2)")
        search(page, "bear", 2)
        expect(page.get_by_role("option").first).to_contain_text("panda")
        page.get_by_role("button", name="Delete Zoo").click()
        expect(page.locator("#kept li")).to_have_count(0)
        search(page, "cat", 2)
        page.set_input_files("#files", tmp_path / "Zoo.zip")
        expect(page.locator("#added")).to_have_text("“Zoo” opened")
        page.context.close()
    texts = [document.text for document in Index.load(tmp_path / "Zoo.zip").documents()]
    assert texts == ["A panda eats.", "A lion sleeps."]
    assert json.loads((DIST / "index" / "index.json").read_text("utf-8"))["count"] == 3
