"""Pyodide: JavaScript objects of the page's worker hold the tokenizer and the sessions.

Support for waiting is checked at each call and never remembered:

======================================  ========================  =========
JavaScript Promise Integration (JSPI)   `encode`                  `aencode`
======================================  ========================  =========
present, and entered through async      works                     works
absent, or entered synchronously        `SyncUnavailableError`    works
======================================  ========================  =========

Arrays cross as flat buffers with their dims, because an array of several dimensions would become
nested JavaScript arrays. Nothing crosses as a proxy that would have to be destroyed.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from js import Object
from pyodide.ffi import JsException, JsProxy, can_run_sync, create_proxy, run_sync, to_js

from twinvec.errors import InferenceError, SyncUnavailableError, TwinvecError
from twinvec.runtime.base import check_graph, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping

    from numpy.typing import NDArray

    from twinvec.runtime.base import Feeds, Outputs


class PyodideTokenizer:
    """Hugging Face `tokenizers` as WASM, behind JavaScript's `encode(text) -> Int32Array`."""

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
    """The session workers, behind JavaScript's `run(run, output) -> Promise`."""

    hidden_size = None

    def __init__(self, js_model: Any) -> None:
        self.input_names: list[str] = js_model.inputNames.to_py()
        self.output_name = check_graph(self.input_names, js_model.outputNames.to_py())
        self._js_model = js_model
        self._ahead = 2 * js_model.sessionCount  # one run queued behind each run under way

    def run(self, feeds: Iterable[Feeds]) -> Generator[Outputs]:
        """Suspend WebAssembly until each output arrives; see `Session.run`."""
        check_can_wait("await embedder.aencode(texts)")
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                yield from_js_output(wait(run))

    async def arun(self, feeds: Iterable[Feeds]) -> AsyncGenerator[Outputs]:
        """Run all feeds on the session workers; see `Session.arun`."""
        with closing(running(feeds, self._start, self._ahead)) as runs:
            for run in runs:
                yield from_js_output(await run)

    def _start(self, feeds: Feeds) -> asyncio.Future[Any]:
        js_promise = self._js_model.run(to_js_run(feeds), self.output_name)
        run: asyncio.Future[Any] = asyncio.ensure_future(js_promise)
        return run

    def close(self) -> None:
        """End the session workers."""
        self._js_model.dispose()


def page_host() -> Any:
    """Return the JavaScript module that the page's worker registers: `{models, openFolder}`.

    Raises:
        TwinvecError: this Pyodide does not run in such a worker.
    """
    try:
        import twinvec_host  # exists only in the page's worker
    except ModuleNotFoundError as err:
        raise TwinvecError(
            "this Python does not run in a page of twinvec, which gives it models and indexes. "
            "Open one from JavaScript with pipeline() of twinvec.js; `twinvec site` builds it."
        ) from err
    return twinvec_host


def check_can_wait(alternative: str) -> None:
    """Check that a blocking call is possible at this moment.

    Args:
        alternative: Python code that works without blocking.

    Raises:
        SyncUnavailableError: it is not; the message names the alternative.
    """
    if not can_run_sync():
        raise SyncUnavailableError(
            "Python cannot wait here: this browser has no JavaScript Promise Integration, or "
            "Python was entered synchronously. Use the method whose name begins with `a`: "
            f"`{alternative}`."
        )


def wait(js_promise: Any) -> Any:
    """Suspend WebAssembly until a promise or a future is done; see `check_can_wait`."""
    return run_sync(js_promise)


def js_value(value: Any) -> Any:
    """Convert dicts, lists and arrays to JavaScript's own; a value that needs a proxy raises."""
    return to_js(value, dict_converter=Object.fromEntries, create_pyproxies=False)


def js_callback(function: Callable[..., object] | None) -> Any:
    """Make a function callable from JavaScript for as long as the page lives."""
    if function is None or isinstance(function, JsProxy):
        return function
    return create_proxy(function)


def to_js_run(feeds: Feeds) -> Any:
    """Copy the inputs of one run to JavaScript, flat, with their common dims."""
    return js_value(
        {
            "dims": next(iter(feeds.values())).shape,
            "inputs": {name: array.ravel() for name, array in feeds.items()},
        }
    )


def from_js_output(js_output: Any) -> Outputs:
    """Copy the output of one run from JavaScript.

    Raises:
        InferenceError: the run failed.
    """
    if hasattr(js_output, "error"):
        raise InferenceError(f"ONNX Runtime failed: {js_output.error}")
    output: Outputs = np.asarray(js_output.data.to_py()).reshape(js_output.dims.to_py())
    return output
