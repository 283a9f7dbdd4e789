"""What a visitor's browser keeps, and what happens where it cannot."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from conftest import DIST, SUB_PATH, TEST_PAGE, open_tab, overlay, serving
from twinvec.site.serve import StaticHandler

pytestmark = pytest.mark.browser

KEPT = """async () => {
  const cache = await caches.open("twinvec");
  return Promise.all((await cache.keys()).map(async (request) => {
    const body = await (await cache.match(request)).arrayBuffer();
    return [request.url, body.byteLength];
  }));
}"""
DAMAGE = """async () => {
  const cache = await caches.open("twinvec");
  for (const request of await cache.keys()) {
    const bytes = new Uint8Array(await (await cache.match(request)).arrayBuffer());
    bytes[bytes.length >> 1] ^= 1;
    await cache.put(request, new Response(bytes));
  }
}"""


def wait_for(page: Page, condition: str, argument: object = None) -> None:
    """Wait for what an async function in the page tells; `wait_for_function` would not await it."""
    for _ in range(500):
        if page.evaluate(condition, argument):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


def visit(page: Page, address: str) -> list[str]:
    """Open the test page, embed one text, and tell which files of models were asked for."""
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}test.html")
    page.evaluate("opened")
    assert page.evaluate("extractor('a').then(({ dims }) => dims[0])") == 1
    return [url for url in asked if "/models/" in url and not url.endswith("manifest.json")]


def test_a_second_visit_downloads_nothing_of_the_model(browser: Browser, test_site: str) -> None:
    context = browser.new_context()
    first = context.new_page()
    assert len(visit(first, test_site)) == 2
    wait_for(first, f"async () => (await ({KEPT})()).length === 2")
    first.close()
    second = context.new_page()
    assert visit(second, test_site) == []
    second.evaluate(DAMAGE)
    second.close()
    third = context.new_page()
    assert len(visit(third, test_site)) == 2  # what was damaged is noticed
    context.close()


def test_files_of_an_older_build_are_dropped(browser: Browser, tmp_path: Path) -> None:
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE})
    with serving(folder) as root:
        address = f"{root}{SUB_PATH}/"
        page = browser.new_context().new_page()
        page.goto(f"{address}demo/icon.svg")
        old = [f"{address}models/gone/onnx/model.onnx?{'0' * 64}", f"{address}other/file"]
        put = "async (url) => (await caches.open('twinvec')).put(url, new Response('old'))"
        for url in old:
            page.evaluate(put, url)
        visit(page, address)
        wait_for(page, "async (url) => !(await caches.match(url))", old[0])
        kept = {url for url, _ in page.evaluate(KEPT)}
        assert old[1] in kept  # not below this site's models
        assert len(kept) == 3
        page.context.close()


def test_a_site_that_was_built_again_is_not_taken_from_the_http_cache(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many hosts let browsers keep files for some time, without asking again."""
    send = StaticHandler.send_header

    def send_header(self: StaticHandler, keyword: str, value: str) -> None:
        send(self, keyword, "max-age=3600" if keyword == "Cache-Control" else value)

    def link(source: str, made: str) -> None:
        Path(made).symlink_to(source)

    monkeypatch.setattr(StaticHandler, "send_header", send_header)
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE})
    models = folder / SUB_PATH / "models"
    models.unlink()
    shutil.copytree(DIST / "models", models, copy_function=link)
    tokenizer = next(models.rglob("tokenizer.json"))
    manifest = json.loads((models / "manifest.json").read_bytes())
    old: dict[Path, Any] = {
        models / "manifest.json": {"models": [manifest["models"][0] | {"name": "older"}]},
        tokenizer: {"an": "older one"},
    }
    new = {file: file.resolve() for file in old}
    packed = tokenizer.with_name("tokenizer.json.br")
    packed_file = packed.resolve()
    packed.unlink()
    for file, content in old.items():
        file.unlink()
        file.write_text(json.dumps(content), encoding="utf-8")
        os.utime(file, (0, 0))
    with serving(folder) as root:
        address = f"{root}{SUB_PATH}/"
        page = browser.new_context().new_page()
        page.goto(f"{address}demo/icon.svg")
        read = "(url) => fetch(url).then((response) => response.text())"
        urls = {f"{root}{file.relative_to(folder)}": file for file in old}
        before = {url: page.evaluate(read, url) for url in urls}
        for file, target in new.items():
            file.unlink()
            file.symlink_to(target)
        packed.symlink_to(packed_file)
        assert {url: page.evaluate(read, url) for url in urls} == before  # out of the cache
        asked = visit(page, address)
        assert sum(url.endswith("tokenizer.json") for url in asked) == 2
        assert page.evaluate("extractor.versions.model") != "older"
        page.context.close()


def test_without_cache_storage_it_works(browser: Browser, tmp_path: Path) -> None:
    refusing = "get() { throw new Error('SecurityError'); }"
    script = f"Object.defineProperty(self, 'caches', {{ {refusing} }});\n"
    workers = ["workers/python.js", "workers/session.js"]
    changed = {path: script + (DIST / path).read_text(encoding="utf-8") for path in workers}
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE, **changed})
    with serving(folder) as address:
        page = browser.new_context().new_page()
        assert len(visit(page, f"{address}{SUB_PATH}/")) == 2
        assert page.evaluate("extractor(Array(20).fill('a')).then(({ dims }) => dims[0])") == 20
        assert page.evaluate("caches.keys()") == []
        page.context.close()


@pytest.mark.parametrize("fails", [True, False])
def test_other_sessions_join_or_are_done_without(
    browser: Browser, tmp_path: Path, *, fails: bool
) -> None:
    script = (DIST / "workers" / "session.js").read_text(encoding="utf-8")
    if fails:
        script += "SessionHost.prototype.open = async () => { throw Error('no'); };\n"
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE, "workers/session.js": script})
    with serving(folder) as address:
        tab = open_tab(browser, f"{address}{SUB_PATH}/")
        dims, _ = tab.encode(["Hello world."] * 20)
        assert dims[0] == 20
        sessions = tab.page.evaluate("extractor.versions.sessions")
        for _ in range(500):
            if sum(url.endswith("/workers/session.js") for url in tab.requests) == sessions:
                break
            tab.page.wait_for_timeout(50)
        else:
            pytest.fail("the other sessions were never opened")
        assert tab.encode(["Hello world."] * 20)[0] == dims
        wait_for(tab.page, f"async () => (await ({KEPT})()).length === 2")
        tab.page.context.close()
