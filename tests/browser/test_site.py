"""What a built site asks of its host: nothing but its own files, wherever it lies."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error

from conftest import DIST, SUB_PATH, TEST_PAGE, Tab, open_tab, overlay, serving

pytestmark = pytest.mark.browser


def test_everything_comes_from_its_own_folder(tab: Tab, test_site: str) -> None:
    paths = {url.removeprefix(test_site) for url in tab.requests if not url.startswith("data:")}
    # Workers and what they load are seen as well, so that the next line means something.
    assert {"worker.js", "session.js", "runtime/pyodide/pyodide.asm.wasm"} <= paths
    assert "runtime/onnxruntime-web/ort-wasm-simd-threaded.wasm" in paths
    assert [path for path in paths if urlsplit(path).netloc] == []


def test_it_works_cross_origin_isolated(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = overlay(tmp_path_factory.mktemp("isolated"), test_html=TEST_PAGE)
    with serving(folder, isolated=True) as address:
        tab = open_tab(browser, f"{address}{SUB_PATH}/")
        assert tab.page.evaluate("crossOriginIsolated") is True
        dims, _ = tab.encode(["Hello world."])
        assert dims[0] == 1
        tab.page.context.close()


def test_it_is_not_isolated_by_default(tab: Tab) -> None:
    assert tab.page.evaluate("crossOriginIsolated") is False


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("tokenizer.json", "flipped", "IntegrityError: tokenizer.json: SHA-256 mismatch: expected"),
        ("model.onnx", "flipped", "IntegrityError: onnx/model.onnx: SHA-256 mismatch: expected"),
        ("model.onnx", "html", "IntegrityError: onnx/model.onnx: expected 9"),
        ("model.onnx", "missing", "DownloadError: onnx/model.onnx: the server answered 404"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    kind: str,
    message: str,
) -> None:
    folder = overlay(tmp_path_factory.mktemp("damaged"), test_html=TEST_PAGE)
    models = folder / SUB_PATH / "models"
    models.unlink()
    shutil.copytree(DIST / "models", models)
    (file,) = models.rglob(name)
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
