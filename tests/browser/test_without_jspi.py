"""A browser without JavaScript Promise Integration: `aencode` works, `encode` says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from conftest import SUB_PATH, Tab, hooked_worker, open_tab, overlay, serving
from twinvec.site.sample import SAMPLE_QUERY

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    changed = hooked_worker()
    worker = changed["workers/python.js"]
    changed["workers/python.js"] = f"delete WebAssembly.Suspending;\n{worker}"
    folder = overlay(tmp_path_factory.mktemp("old"), changed=changed)
    with serving(folder) as root:
        yield f"{root}{SUB_PATH}/"


@pytest.fixture(scope="module")
def old_tab(browser: Browser, address: str) -> Iterator[Tab]:
    opened = open_tab(browser, address)
    yield opened
    opened.page.context.close()


def test_aencode_gives_the_same_vectors(old_tab: Tab, tab: Tab) -> None:
    texts = ["Hello world.", "I love pandas so much!"]
    assert old_tab.encode(texts) == tab.encode(texts)


def test_encode_names_aencode(old_tab: Tab) -> None:
    message = old_tab.python(
        """
from twinvec import Embedder, SyncUnavailableError
async def body():
    try:
        Embedder.from_pretrained().encode(["Hello world."])
    except SyncUnavailableError as err:
        return str(err)
"""
    )
    assert "aencode" in message


def test_the_page_works(browser: Browser, address: str) -> None:
    page = browser.new_context().new_page()
    page.goto(address)
    page.get_by_role("combobox").fill(SAMPLE_QUERY)
    expect(page.get_by_role("option")).to_have_count(10)
    page.context.close()
