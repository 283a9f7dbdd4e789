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

import asyncio
import json
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from js import Object
from pyodide.ffi import JsException, JsProxy, can_run_sync, create_proxy, run_sync, to_js

from twinvec.errors import (
    DownloadError,
    IndexFormatError,
    InferenceError,
    IntegrityError,
    ModelNotFoundError,
    SyncUnavailableError,
)
from twinvec.index.format import DAMAGED
from twinvec.model.dtypes import dtype_facts
from twinvec.model.info import ModelInfo
from twinvec.runtime.base import check_graph, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.stores.base import Part, Progress
    from twinvec.runtime.base import Feeds, Outputs

__all__ = ["JsStore", "js_value", "loaded_model", "register"]

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
    """The session workers behind `host.js`'s `run(run, output) -> Promise`."""

    def __init__(self, js_model: Any) -> None:
        self.input_names: list[str] = js_model.inputNames.to_py()
        self._output = check_graph(self.input_names, js_model.outputNames.to_py())
        self._js_model = js_model
        self._ahead = 2 * js_model.sessionCount  # one run waiting behind each that is under way

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        """Suspend WebAssembly until each output is there; see `Session.run`."""
        if not can_run_sync():
            raise SyncUnavailableError(
                "encode cannot wait here: this browser has no JavaScript Promise Integration, or "
                "Python was entered synchronously. Use `await embedder.aencode(texts)`."
            )
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                yield _output(run_sync(run))

    async def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        """Run all feeds on the session workers; see `Session.arun`."""
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                yield _output(await run)

    def _start(self, feed: Feeds) -> asyncio.Future[Any]:
        run = {
            "dims": next(iter(feed.values())).shape,
            "inputs": {name: array.ravel() for name, array in feed.items()},
        }
        js_promise = self._js_model.run(js_value(run), self._output)
        started: asyncio.Future[Any] = asyncio.ensure_future(js_promise)
        return started

    def close(self) -> None:
        """End the session workers."""
        self._js_model.dispose()


class JsStore:
    """The files of an index on a server or in the browser, behind JavaScript's `read(parts)`."""

    open_folder: Any = None
    """`(url, report) -> IndexFolder`, which the worker gives."""

    def __init__(self, url: str, progress: Progress | None = None) -> None:
        if progress is not None and not isinstance(progress, JsProxy):
            progress = create_proxy(progress)  # a notebook's own function
        self._js_folder = JsStore.open_folder(url, progress)

    def expect(self, total: int, hashes: Sequence[str]) -> None:
        """See `Store.expect`."""
        self._js_folder.expect(total, js_value(hashes))

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Suspend WebAssembly until all are there; see `Store.read`."""
        if not can_run_sync():
            raise SyncUnavailableError(
                "the index cannot wait for its files here: this browser has no JavaScript Promise "
                "Integration, or Python was entered synchronously. Use the method that begins with "
                "`a`, such as `await index.asearch(...)`."
            )
        return self._contents(parts, run_sync(self._start(parts)))

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Read without blocking the event loop."""
        return self._contents(parts, await self._start(parts))

    def _start(self, parts: Sequence[Part]) -> Any:
        return self._js_folder.read(js_value([asdict(part) for part in parts]))

    def _contents(self, parts: Sequence[Part], js_answer: Any) -> list[bytes]:
        if hasattr(js_answer, "error"):
            error = js_answer.error.to_py()
            if error["name"] == "IntegrityError":
                raise IntegrityError(error["file"], error["expected"], error["found"], DAMAGED)
            if error["name"] == "IndexFormatError":
                raise IndexFormatError(error["message"])
            raise DownloadError(error["message"])
        contents = [js_content.to_bytes() for js_content in js_answer]
        if not self._js_folder.verifies:
            for part, content in zip(parts, contents, strict=True):
                if part.shard and part.stop is None:
                    part.shard.check(content)
        return contents


def _output(js_output: Any) -> Outputs:
    if hasattr(js_output, "error"):
        raise InferenceError(f"ONNX Runtime failed: {js_output.error}")
    output: Outputs = np.asarray(js_output.data.to_py()).reshape(js_output.dims.to_py())
    return output


def register(js_model: Any) -> ModelInfo:
    """Make a model that `host.js` loaded known to `loaded_model`."""
    info = ModelInfo.from_json(json.loads(js_model.info))
    _loaded[info.name] = js_model
    return info


def loaded_model(
    model: str | Path | None, dtype: str
) -> tuple[ModelInfo, PyodideTokenizer, PyodideSession]:
    """Open a model that the page has loaded; None for the first one.

    Raises:
        ModelNotFoundError: the page has not loaded it, or has it in another dtype.
    """
    dtype_facts(dtype)
    name = next(iter(_loaded), None) if model is None else str(model)
    js_model = _loaded.get(name or "")
    if js_model is None or js_model.dtype != dtype:
        present = ", ".join(f"{known} ({js.dtype})" for known, js in _loaded.items()) or "nothing"
        raise ModelNotFoundError(
            f"{name or 'a model'} ({dtype}) is not loaded in this page, which has {present}. "
            'Load it from JavaScript first: pipeline("feature-extraction", name, { dtype })'
        )
    info = ModelInfo.from_json(json.loads(js_model.info))
    info = replace(info, references={})  # the page checks; here it may not be possible to wait
    return info, PyodideTokenizer(js_model), PyodideSession(js_model)


def js_value(value: Any) -> Any:
    """Convert dicts, lists and arrays to JavaScript's own; what would need a proxy raises."""
    return to_js(value, dict_converter=Object.fromEntries, create_pyproxies=False)
