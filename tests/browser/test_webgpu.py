"""WebGPU is used where its vectors are CPython's, and WASM elsewhere.

On Chromium's software adapter: no graphics processor was tested.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import ConsoleMessage, Error, Playwright

from conftest import DIST, SUB_PATH, TEST_PAGE, Tab, launch_options, overlay, serving
from twinvec import Embedder
from twinvec.site.build import WEB

pytestmark = pytest.mark.browser

TEXTS = ["What is a panda?", "", "Crème brûlée: 2.5 €, 東京 👍"]
Opened = Callable[..., Tab]


@pytest.fixture
def opened(playwright: Playwright, tmp_path: Path) -> Iterator[Opened]:
    """Return a function that opens a page of a site built for WebGPU, with some files replaced."""
    with ExitStack() as stack:

        def tab(*flags: str, changed: dict[str, str] | None = None) -> Tab:
            folder = overlay(tmp_path, DIST, {"test.html": TEST_PAGE, **(changed or {})})
            runtime = folder / SUB_PATH / "runtime"
            runtime.unlink()
            runtime.mkdir()
            for part in (DIST / "runtime").iterdir():
                (runtime / part.name).symlink_to(part)
            (runtime / "onnxruntime-webgpu").symlink_to(WEB / "node_modules/onnxruntime-web/dist")
            address = stack.enter_context(serving(folder))
            options = launch_options(playwright)
            options["args"] += flags
            browser = playwright.chromium.launch(**options)
            stack.callback(browser.close)
            page = browser.new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{address}{SUB_PATH}/test.html?load=false")
            page.wait_for_function("globalThis.load !== undefined")
            return Tab(page)

        yield tab


def warnings_of(tab: Tab) -> list[str]:
    """Collect the warnings of the page from now on."""
    warnings: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "warning":
            warnings.append(message.text)

    tab.page.on("console", note)
    return warnings


def assert_native(tab: Tab, embedder: Embedder) -> None:
    dims, data = tab.encode(TEXTS)
    vectors = np.frombuffer(base64.b64decode(data), np.float32).reshape(dims)
    assert np.max(np.abs(vectors - embedder.encode(TEXTS, pooling="mean"))) <= 5e-7


def test_it_gives_the_vectors_of_cpython(opened: Opened, embedder: Embedder) -> None:
    tab = opened("--enable-unsafe-webgpu")
    warned = warnings_of(tab)
    versions = tab.page.evaluate("load({ device: 'webgpu' })")
    assert (versions["device"], versions["sessions"]) == ("webgpu", 1), warned
    assert 0 < versions["deviation"] <= 5e-7
    assert_native(tab, embedder)
    assert warned == []


def test_without_an_adapter_wasm_answers(opened: Opened, embedder: Embedder) -> None:
    tab = opened()
    warned = warnings_of(tab)
    versions = tab.page.evaluate("load({ device: 'webgpu' })")
    assert versions["device"] == "wasm"
    assert_native(tab, embedder)
    (warning,) = warned
    assert "WebGPU cannot be used, WASM is. Error: no adapter is offered here." in warning


def test_with_other_vectors_wasm_answers(opened: Opened, embedder: Embedder) -> None:
    """Vectors as from a graphics processor that rounds too much."""
    source = (DIST / "workers" / "session.js").read_text(encoding="utf-8")
    returned = "return { value: { dims: tensor.dims, data }"
    assert returned in source
    wrong = f'if (this.#device === "webgpu") data[0] += 0.01;\n    {returned}'
    tab = opened(
        "--enable-unsafe-webgpu", changed={"workers/session.js": source.replace(returned, wrong)}
    )
    warned = warnings_of(tab)
    versions = tab.page.evaluate("load({ device: 'webgpu' })")
    assert versions["device"] == "wasm"
    assert_native(tab, embedder)
    assert [text for text in warned if "ParityError" in text and "differ by" in text]


def test_weights_it_cannot_run_are_run_by_wasm(opened: Opened) -> None:
    """w8 has float16 scales, and this adapter no float16."""
    tab = opened("--enable-unsafe-webgpu")
    warned = warnings_of(tab)
    versions = tab.page.evaluate("load({ device: 'webgpu', dtype: 'w8' })")
    assert (versions["device"], versions["dtype"]) == ("wasm", "w8")
    assert [text for text in warned if "WebGPU cannot be used" in text]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{ device: 'gpu' }", 'device must be "wasm" or "webgpu", not "gpu"'),
        ("{ device: 'webgpu', self_check: false }", "needs the self-check"),
    ],
)
def test_wrong_options_are_refused(opened: Opened, options: str, message: str) -> None:
    with pytest.raises(Error, match=f"TypeError: .*{message}"):
        opened().page.evaluate(f"load({options})")
