"""Pyodide: the tokenizer and the sessions are JavaScript objects that `web/host.js` holds.

Support, asked for at each call and never remembered:

======================================  ========================  =========
JavaScript Promise Integration (JSPI)   `encode`                  `aencode`
======================================  ========================  =========
present, and entered through async      works                     works
absent, or entered synchronously        `SyncUnavailableError`    works
======================================  ========================  =========

Arrays cross as flat buffers with their dims: an array of more than one dimension would become
nested JavaScript arrays. Nothing crosses as a proxy that somebody would have to destroy.
"""

from __future__ import annotations

import json
import platform
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from js import Object
from pyodide.ffi import JsException, can_run_sync, run_sync, to_js

from twinvec.embedder import Embedder
from twinvec.errors import InferenceError, ModelNotFoundError, SyncUnavailableError
from twinvec.folder import ModelInfo, check_dtype
from twinvec.index import Index
from twinvec.runtime.base import check_graph

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.runtime.base import Feeds, Outputs

__all__ = ["PYTHON_VERSION", "Endpoint", "loaded_model", "open_endpoint"]

PYTHON_VERSION = platform.python_version()

_loaded: dict[str, Any] = {}


class PyodideTokenizer:
    """Hugging Face `tokenizers` as WASM, behind `host.js`'s `encode(text) -> Int32Array`."""

    def __init__(self, js_model: Any) -> None:
        self.post_processor: Mapping[str, Any] | None = json.loads(js_model.postProcessor)
        self._js_encode = js_model.encode

    def encode(self, text: str) -> NDArray[np.int32]:
        """Tokenize one text; int32 [tokens]."""
        try:
            return np.asarray(self._js_encode(text).to_py())
        except JsException as err:
            raise InferenceError(f"the tokenizer failed: {err}") from err


class PyodideSession:
    """The session workers behind `host.js`'s `run(runs, output) -> Promise<outputs>`."""

    def __init__(self, js_model: Any) -> None:
        self.input_names: list[str] = js_model.inputNames.to_py()
        self._output = check_graph(self.input_names, js_model.outputNames.to_py())
        self._js_model = js_model

    def run(self, feeds: Sequence[Feeds]) -> list[Outputs]:
        """Suspend WebAssembly until all feeds have run; see `Session.run`."""
        if not can_run_sync():
            raise SyncUnavailableError(
                "encode cannot wait here: this browser has no JavaScript Promise Integration, or "
                "Python was entered synchronously. Use `await embedder.aencode(texts)`."
            )
        outputs: list[Outputs] = run_sync(self.arun(feeds))
        return outputs

    async def arun(self, feeds: Sequence[Feeds]) -> list[Outputs]:
        """Run all feeds on the session workers; see `Session.arun`."""
        runs = [
            {
                "dims": next(iter(feed.values())).shape,
                "inputs": {name: array.ravel() for name, array in feed.items()},
            }
            for feed in feeds
        ]
        try:
            js_outputs = await self._js_model.run(_to_js(runs), self._output)
        except JsException as err:
            raise InferenceError(f"ONNX Runtime failed: {err}") from err
        return [
            np.asarray(js_output.data.to_py()).reshape(js_output.dims.to_py())
            for js_output in js_outputs
        ]

    def close(self) -> None:
        """End the session workers."""
        self._js_model.dispose()


class Endpoint:
    """What a page may ask of Python, by method name; see `web/protocol.js`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._index = Index([], np.empty((0, embedder.info.dim), np.float32), embedder.fingerprint)

    async def embed(self, texts: list[str], pooling: str, normalize: bool) -> dict[str, Any]:
        """Embed texts; dims are [n, dim], or [n, longest, dim] for pooling `none`."""
        vectors: Any = await self._embedder.aencode(texts, pooling=pooling, normalize=normalize)  # type: ignore[call-overload]
        if isinstance(vectors, list):
            vectors = _stack(vectors, self._embedder.info.dim)
        return {"dims": vectors.shape, "data": vectors.ravel()}

    async def openIndex(self, folder: str) -> dict[str, Any]:  # noqa: N802 (the wire's name)
        """Load an index that the worker put into Python's file system."""
        index = Index.load(folder)
        index.check(self._embedder)
        self._index = index
        return {"texts": index.texts}

    async def add(self, texts: list[str]) -> dict[str, Any]:
        """Embed texts and append them to the index."""
        self._index.add(texts, await self._embedder.aencode(texts))
        return {"count": len(self._index)}

    async def search(self, query: str, k: int) -> list[dict[str, Any]]:
        """Rank the index's texts for a query."""
        vectors = await self._embedder.aencode([self._embedder.info.query_prompt + query])
        return [asdict(hit) for hit in self._index.search(vectors[0], k=k)]


def open_endpoint(js_model: Any) -> Callable[[str, Any], Awaitable[Any]]:
    """Open the model that `host.js` loaded, and give JavaScript one function to call.

    It answers `{value}` or `{error: {name, message, stack}}`: errors are data, so that a page sees
    Python's own message instead of a traceback.
    """
    info = json.loads(js_model.info)
    _loaded[info["name"]] = js_model
    endpoint = Endpoint(Embedder.from_pretrained(info["name"], dtype=js_model.dtype))

    async def call(method: str, js_params: Any) -> Any:
        try:
            value = await getattr(endpoint, method)(**js_params.to_py())
        except Exception as err:  # the border: everything becomes data
            return _to_js({"error": _error_to_json(err)})
        return _to_js({"value": value})

    return call


def loaded_model(
    model: str | Path | None, dtype: str
) -> tuple[ModelInfo, PyodideTokenizer, PyodideSession]:
    """Open a model that the page has loaded; None for the first one.

    Raises:
        ModelNotFoundError: the page has not loaded it, or has it in another dtype.
    """
    check_dtype(dtype)
    name = next(iter(_loaded), None) if model is None else str(model)
    js_model = _loaded.get(name or "")
    if js_model is None or js_model.dtype != dtype:
        present = ", ".join(f"{known} ({js.dtype})" for known, js in _loaded.items()) or "nothing"
        raise ModelNotFoundError(
            f"{name or 'a model'} ({dtype}) is not loaded in this page, which has {present}. "
            'Load it from JavaScript first: pipeline("feature-extraction", name, { dtype })'
        )
    info = ModelInfo.from_json(json.loads(js_model.info))
    return info, PyodideTokenizer(js_model), PyodideSession(js_model)


def _stack(states: list[NDArray[np.float32]], dim: int) -> NDArray[np.float32]:
    """Stack [tokens, dim] arrays into [n, longest, dim], zeros after each text's end."""
    longest = max(map(len, states), default=0)
    stacked = np.zeros((len(states), longest, dim), np.float32)
    for row, text_states in zip(stacked, states, strict=True):
        row[: len(text_states)] = text_states
    return stacked


def _error_to_json(err: Exception) -> dict[str, str]:
    return {
        "name": type(err).__name__,
        "message": str(err),
        "stack": "".join(traceback.format_exception(err)),
    }


def _to_js(value: Any) -> Any:
    return to_js(value, dict_converter=Object.fromEntries, create_pyproxies=False)
