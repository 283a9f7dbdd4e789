"""A page's side of Pyodide, in Python: JavaScript objects over a model that is opened natively."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from twinvec.catalog import open as catalog_open
from twinvec.model.info import ModelInfo
from twinvec.runtime.native import NativeSession, NativeTokenizer

PYODIDE_ONLY = (
    "twinvec.runtime.pyodide",
    "twinvec.catalog.loaded",
    "twinvec.index.stores.browser",
    "twinvec.page.endpoint",
)
"""Modules that can be imported only where there is `js` and `pyodide`."""


class JsException(Exception):
    """An exception thrown in JavaScript."""


class JsValue:
    """A JavaScript value that Python converts."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def to_py(self) -> Any:
        return self.value


class JsModel:
    """A loaded model, as `web/workers/model.js` offers it to Python."""

    def __init__(self, folder: Path, dtype: str = "fp32") -> None:
        info = ModelInfo.from_folder(folder, dtype)
        self._core = NativeTokenizer(folder / "tokenizer.json")
        self._session = NativeSession(folder / info.weights[dtype])
        self.info = json.dumps(info.to_json())
        self.dtype = dtype
        self.postProcessor = json.dumps(self._core.post_processor)
        self.inputNames = JsValue(self._session.input_names)
        self.outputNames = JsValue(["last_hidden_state"])
        self.sessionCount = 1
        self.disposed = False

    def encode(self, text: str) -> JsValue:
        if text == "throw":
            raise JsException("thrown in JavaScript")
        return JsValue(self._core.encode(text).astype(np.int32))

    async def run(self, js_run: Any, output: str) -> Any:
        if self.disposed:
            return SimpleNamespace(error="no session is left")
        assert output == "last_hidden_state"
        feeds = {name: array.reshape(js_run["dims"]) for name, array in js_run["inputs"].items()}
        (hidden,) = self._session.run([feeds])
        return SimpleNamespace(data=JsValue(hidden.ravel()), dims=JsValue(hidden.shape))

    def dispose(self) -> None:
        self.disposed = True


@contextmanager
def fake_page(
    monkeypatch: pytest.MonkeyPatch, *models: JsModel, open_folder: Any = None
) -> Iterator[SimpleNamespace]:
    """Let the modules for Pyodide be imported, in a page that has loaded `models`."""
    host = SimpleNamespace(models=list(models), openFolder=open_folder)
    modules: dict[str, Any] = {
        "js": SimpleNamespace(Object=SimpleNamespace(fromEntries=dict)),
        "pyodide": ModuleType("pyodide"),
        "pyodide.ffi": SimpleNamespace(
            JsException=JsException,
            JsProxy=JsValue,
            can_run_sync=lambda: False,
            create_proxy=lambda function: function,
            run_sync=None,
            to_js=lambda value, **_: value,
        ),
        "twinvec_host": host,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(catalog_open, "IN_BROWSER", True)
    try:
        yield host
    finally:
        for name in PYODIDE_ONLY:
            sys.modules.pop(name, None)
