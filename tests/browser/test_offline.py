"""The page below a sub-path works without a connection after the first visit."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from conftest import DIST, SUB_PATH, overlay, serving
from twinvec import Embedder, Index
from twinvec.site.serve import StaticHandler

pytestmark = pytest.mark.browser

KEPT = """async () => {
  const cache = await caches.open("twinvec");
  const urls = (await cache.keys()).map(({ url }) => url);
  const parts = ["documents-", "postings-", ".onnx"];
  return parts.every((part) => urls.some((url) => url.includes(part)));
}"""


SITE = """async () => {
  const cache = await caches.open("twinvec-site");
  return (await cache.keys()).map(({ url }) => url);
}"""


USE = """async () => {
  const fetched = ["runtime/twinvec.zip", "models/manifest.json"];
  await Promise.all(fetched.map(async (url) => (await fetch(url)).arrayBuffer()));
  for (const src of ["twinvec.js", "demo/page.js"]) {
    const script = document.createElement("script");
    script.src = src;
    await new Promise((resolve) => {
      script.onload = script.onerror = resolve;
      document.head.append(script);
    });
  }
}"""
"""Requests files again as a visit does."""


SHOW = """(src) => new Promise((resolve) => {
  const image = new Image();
  image.onload = image.onerror = ({ type }) => resolve(type);
  image.src = src;
})"""


def wait_until_kept(page: Page) -> None:
    """Wait until the browser keeps the whole index and the model."""
    for _ in range(600):
        if page.evaluate(KEPT):
            return
        page.wait_for_timeout(100)
    pytest.fail("the index or the model was not kept")


def visit(page: Page, address: str, query: str) -> str:
    page.goto(address)
    page.get_by_role("combobox").fill(query)
    expect(page.get_by_role("option")).to_have_count(10)
    return page.get_by_role("option").first.inner_text()


def test_the_page_searches_without_a_connection(
    browser: Browser, embedder: Embedder, tmp_path: Path
) -> None:
    other = "compress a folder as an archive"
    (hit,) = Index.load(DIST / "search").search(other, embedder, k=1, mode="hybrid")
    context = browser.new_context()
    with serving(overlay(tmp_path)) as root:
        address = f"{root}{SUB_PATH}/"
        first = context.new_page()
        visit(first, address, "parse json")
        wait_until_kept(first)
        first.close()
        context.set_offline(True)
        second = context.new_page()
        assert "json" in visit(second, address, "parse json")
        # A new query: neither its documents nor its words were read while there was a network.
        hits = visit(second, f"{address}index.html", other)
        assert hits.startswith(hit.metadata["heading"])
        context.set_offline(False)
        second.close()
    third = context.new_page()  # the server itself is gone
    assert "json" in visit(third, address, "parse json")
    context.close()


def test_a_rebuilt_site_is_shown(browser: Browser, tmp_path: Path) -> None:
    folder = overlay(tmp_path)
    site = folder / SUB_PATH
    with serving(folder) as root:
        page = browser.new_context().new_page()
        visit(page, f"{root}{SUB_PATH}/", "parse json")
        html = (site / "index.html").read_text(encoding="utf-8")
        (site / "index.html").unlink()
        (site / "index.html").write_text(html.replace("<h1>twinvec", "<h1>rebuilt"), "utf-8")
        page.reload()
        expect(page.locator("h1")).to_have_text("rebuilt")
        page.context.close()


def test_a_refused_file_is_not_kept(browser: Browser, tmp_path: Path) -> None:
    with serving(overlay(tmp_path)) as root:
        page = browser.new_context().new_page()
        visit(page, f"{root}{SUB_PATH}/", "parse json")
        assert page.evaluate(SHOW, "nothing.svg") == "error"
        assert page.evaluate(SHOW, "demo/icon.svg") == "load"
        page.wait_for_timeout(500)
        kept = page.evaluate(SITE)
        assert any(url.endswith("demo/icon.svg") for url in kept)
        assert not any("nothing" in url for url in kept)
        page.context.close()


def test_a_page_in_place_of_a_file_is_not_kept(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First a maintenance page with status 200, then other content of the right type."""
    types = {"all": "text/html"}

    def answer(self: StaticHandler) -> None:
        self.send_response(200)
        self.send_header("Content-Type", types.get("all", self.guess_type(self.path)))
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>We will be back soon</title>")

    with serving(overlay(tmp_path)) as root:
        page = browser.new_context().new_page()
        visit(page, f"{root}{SUB_PATH}/", "parse json")
        wait_until_kept(page)
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(StaticHandler, "do_GET", answer)
                page.evaluate(USE)
                page.wait_for_timeout(500)
            types.clear()
        page.context.set_offline(True)
        page.set_default_timeout(20_000)
        assert "json" in visit(page, f"{root}{SUB_PATH}/", "parse json")
        page.context.close()


def test_an_address_is_kept_once_whatever_its_query(browser: Browser, tmp_path: Path) -> None:
    with serving(overlay(tmp_path)) as root:
        page = browser.new_context().new_page()
        visit(page, f"{root}{SUB_PATH}/", "parse json")
        for version in range(3):
            assert page.evaluate(SHOW, f"demo/icon.svg?version={version}") == "load"
        page.wait_for_timeout(500)
        assert [url for url in page.evaluate(SITE) if "demo/icon.svg" in url] == [
            f"{root}{SUB_PATH}/demo/icon.svg"
        ]
        page.context.set_offline(True)
        assert page.evaluate(SHOW, "demo/icon.svg?version=4") == "load"
        page.context.close()


def test_requests_of_a_sites_own_scripts_are_left_alone(browser: Browser, tmp_path: Path) -> None:
    """An answer may be meant for a single visitor, so the service worker does not keep it."""
    folder = overlay(tmp_path, changed={"visitor.json": "{}"})
    with serving(folder) as root:
        context = browser.new_context()
        context.add_init_script("fetch('visitor.json')")  # before the service worker is there
        page = context.new_page()
        address = f"{root}{SUB_PATH}/"
        visit(page, address, "parse json")
        assert page.evaluate("fetch('visitor.json').then(({ status }) => status)") == 200
        page.wait_for_timeout(500)
        kept = page.evaluate(SITE)
        scripts = ("app", "page", "own-texts", "kept", "read-files")
        fetched = ("runtime/twinvec.zip", "models/manifest.json")
        for file in ("", *(f"demo/{name}.js" for name in scripts), *fetched):
            assert f"{address}{file}" in kept
        assert f"{address}search/index.json" in kept
        assert not any("visitor" in url for url in kept)
        context.set_offline(True)
        with pytest.raises(Error, match="Failed to fetch"):
            page.evaluate("fetch('visitor.json')")
        context.close()
