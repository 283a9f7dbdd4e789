"""What a built site asks of its host: nothing but its own files, wherever it lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, expect

from conftest import DIST, SUB_PATH, TEST_PAGE, Tab, open_tab, overlay, serving
from twinvec.site.compress import brotli_path

pytestmark = pytest.mark.browser


def test_everything_comes_from_its_own_folder(tab: Tab, test_site: str) -> None:
    paths = {url.removeprefix(test_site) for url in tab.requests if not url.startswith("data:")}
    # Workers and what they load are seen as well, so that the next line means something.
    assert {"workers/python.js", "workers/session.js", "runtime/pyodide/pyodide.asm.wasm"} <= paths
    assert "runtime/onnxruntime-web/ort-wasm-simd-threaded.wasm" in paths
    assert [path for path in paths if urlsplit(path).netloc] == []


def test_the_page_asks_no_other_origin_either(browser: Browser) -> None:
    with serving(DIST) as address:
        page = browser.new_context().new_page()
        requests: list[str] = []
        complaints: list[str] = []
        page.context.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(address)
        expect(page.locator("#versions")).not_to_be_empty()
        page.get_by_role("combobox").fill("anything")
        expect(page.get_by_role("option")).to_have_count(10)
        assert f"{address}demo/style.css" in requests
        assert [url for url in requests if not url.startswith(address)] == []
        assert complaints == []  # its Content-Security-Policy would complain here
        page.context.close()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("workers/python.js", "workers/python.js could not be loaded. Reload the page"),
        ("workers/session.js", "workers/session.js could not be loaded. Reload the page"),
        *(
            (file, f"{file}: the server answered 404")
            for file in (
                "runtime/pyodide/pyodide.mjs",
                "runtime/pyodide/pyodide.asm.wasm",
                "runtime/pyodide/python_stdlib.zip",
                "runtime/onnxruntime-web/ort-wasm-simd-threaded.wasm",
                "runtime/tokenizers/index.js",
                "runtime/twinvec.zip",
                "models/manifest.json",
                "manifest.json",
            )
        ),
    ],
)
def test_a_missing_file_is_told(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, missing: str, message: str
) -> None:
    folder = overlay(tmp_path_factory.mktemp("missing"), changed={"test.html": TEST_PAGE})
    site = folder / SUB_PATH
    top = missing.partition("/")[0]
    if top != missing:  # a copy of links, so that only this site lacks the file
        (site / top).unlink()
        shutil.copytree(DIST / top, site / top, copy_function=os.symlink)
    (site / missing).unlink()
    with serving(folder) as address, pytest.raises(Error) as raised:
        open_tab(browser, f"{address}{SUB_PATH}/")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "cut",
    [
        "runtime/pyodide/pyodide.asm.wasm",
        "runtime/numpy.zip",
        "runtime/onnxruntime-web/ort-wasm-simd-threaded.wasm",
        "runtime/tokenizers/index.js",
    ],
)
def test_a_cut_file_is_told(browser: Browser, tmp_path: Path, cut: str) -> None:
    folder = overlay(tmp_path, changed={"test.html": TEST_PAGE, cut: ""})
    file = folder / SUB_PATH / cut
    brotli_path(file).unlink(missing_ok=True)
    size = (DIST / cut).stat().st_size
    file.write_bytes((DIST / cut).read_bytes()[: size // 2])
    with serving(folder) as address, pytest.raises(Error) as raised:
        open_tab(browser, f"{address}{SUB_PATH}/")
    assert f"{cut}: expected {size} bytes, found {size // 2} bytes" in str(raised.value)


def test_a_worker_that_dies_rejects_everything(browser: Browser, test_site: str) -> None:
    tab = open_tab(browser, test_site)
    script = "setTimeout(() => { throw new Error('boom') })"
    call = "extractor(Array(50).fill('word '.repeat(200))).catch((error) => error.message)"
    tab.page.evaluate(f"globalThis.pending = {call}; undefined")
    (worker,) = [one for one in tab.page.workers if one.url.endswith("/workers/python.js")]
    worker.evaluate(script)
    for promise in ("pending", "extractor('a').catch((error) => error.message)"):
        assert "python.js ended: Uncaught Error: boom" in tab.page.evaluate(promise)
    tab.page.context.close()


def test_a_module_that_the_site_leaves_out_is_named(tab: Tab) -> None:
    source = "async def body():\n    import numpy.random"
    with pytest.raises(Error, match=r"No module named 'numpy\.random'"):
        tab.python(source)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("tokenizer.json", "flipped", "IntegrityError: tokenizer.json: SHA-256 mismatch: expected"),
        ("model.onnx", "flipped", "IntegrityError: onnx/model.onnx: SHA-256 mismatch: expected"),
        ("model.onnx", "html", "IntegrityError: onnx/model.onnx: expected 9"),
        ("model.onnx", "missing", "onnx/model.onnx: the server answered 404; is the whole folder"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    kind: str,
    message: str,
) -> None:
    folder = overlay(tmp_path_factory.mktemp("damaged"), changed={"test.html": TEST_PAGE})
    models = folder / SUB_PATH / "models"
    models.unlink()
    shutil.copytree(DIST / "models", models)
    (file,) = models.rglob(name)
    brotli_path(file).unlink(missing_ok=True)
    if kind == "flipped":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif kind == "html":
        file.write_text("<!doctype html><title>404</title>", encoding="utf-8")
    else:
        file.unlink()
    with serving(folder) as address, pytest.raises(Error) as raised:
        open_tab(browser, f"{address}{SUB_PATH}/")
    assert message in str(raised.value)
