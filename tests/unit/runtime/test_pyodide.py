"""Pyodide's side of the seam, over a fake page; `tests/contract` runs it in a real one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import finish
from fake_page import JsModel, JsValue, fake_page
from synthetic import write_tiny
from twinvec import InferenceError, SyncUnavailableError, TwinvecError
from twinvec.convert.folder import convert_folder


@pytest.fixture
def js_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JsModel]:
    model = JsModel(convert_folder(write_tiny(tmp_path / "source"), tmp_path / "tiny"))
    with fake_page(monkeypatch, model):
        yield model


def one_run(names: list[str]) -> dict[str, Any]:
    return {name: np.ones((1, 3), np.int64) for name in names}


def test_the_tokenizer_gives_ids_and_its_own_error(js_model: JsModel) -> None:
    from twinvec.runtime.pyodide import PyodideTokenizer

    js_model.postProcessor = '{"type": "ByteLevel"}'
    tokenizer = PyodideTokenizer(js_model)
    assert tokenizer.post_processor == {"type": "ByteLevel"}
    assert tokenizer.encode("word1 word2").dtype == np.int32
    with pytest.raises(InferenceError, match="tokenizer failed: thrown in JavaScript"):
        tokenizer.encode("throw")


def test_the_session_runs_async_and_reports_errors(js_model: JsModel) -> None:
    from twinvec.runtime.pyodide import PyodideSession

    session = PyodideSession(js_model)
    assert session.output_name == "last_hidden_state"

    async def collect() -> list[Any]:
        runs = [one_run(session.input_names)] * 4
        return [output async for output in session.arun(runs)]

    outputs = finish(collect())
    assert [output.shape for output in outputs] == [(1, 3, 32)] * 4
    session.close()
    with pytest.raises(InferenceError, match="ONNX Runtime failed: no session is left"):
        finish(collect())


def test_where_python_cannot_wait_the_error_names_the_async_method(js_model: JsModel) -> None:
    from twinvec.runtime.pyodide import PyodideSession

    session = PyodideSession(js_model)
    with pytest.raises(SyncUnavailableError, match=r"await embedder\.aencode\(texts\)"):
        list(session.run([one_run(session.input_names)]))


@pytest.mark.usefixtures("js_model")
def test_inputs_cross_flat_with_their_dims() -> None:
    from twinvec.runtime.pyodide import to_js_run

    js_run = to_js_run({"input_ids": np.array([[1, 2, 3]])})
    assert js_run["dims"] == (1, 3)
    assert js_run["inputs"]["input_ids"].tolist() == [1, 2, 3]


@pytest.mark.usefixtures("js_model")
def test_callbacks_become_proxies_once() -> None:
    from twinvec.runtime.pyodide import js_callback

    proxy = JsValue(None)
    assert js_callback(proxy) is proxy  # type: ignore[arg-type]
    assert js_callback(None) is None
    assert js_callback(print) is print


@pytest.mark.usefixtures("js_model")
def test_a_pyodide_without_a_page_of_twinvec(monkeypatch: pytest.MonkeyPatch) -> None:
    from twinvec.runtime.pyodide import page_host

    monkeypatch.delitem(sys.modules, "twinvec_host")
    with pytest.raises(TwinvecError, match=r"Open one from JavaScript with pipeline\(\)"):
        page_host()
