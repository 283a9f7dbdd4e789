"""What a page may ask of Python: the far end of `web/worker.js`, in Pyodide only."""

from __future__ import annotations

import platform
import shutil
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twinvec.embedder import Embedder
from twinvec.index import Index
from twinvec.runtime.pyodide import js_value, register

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

__all__ = ["Endpoint", "open_endpoint"]


class Endpoint:
    """What a page may ask of Python, by method name; see `web/protocol.js`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._indexes: list[Index] = []

    async def describe(self) -> dict[str, Any]:
        """Tell which model, weights and Python answer."""
        embedder = self._embedder
        return {
            "model": embedder.info.name,
            "revision": embedder.info.revision,
            "dtype": embedder.dtype,
            "parity": embedder.parity,
            "python": platform.python_version(),
        }

    async def embed(self, texts: list[str], pooling: str, normalize: bool) -> dict[str, Any]:
        """Embed texts; dims are [n, dim], or [n, longest, dim] for pooling `none`."""
        mode = cast("Any", pooling)  # whatever the page sent; checked there
        vectors = await self._embedder.aencode(texts, pooling=mode, normalize=normalize)
        if isinstance(vectors, list):
            vectors = _stack(vectors, self._embedder.info.dim)
        return {"dims": vectors.shape, "data": vectors.ravel()}

    async def open_index(self, folder: str) -> dict[str, Any]:
        """Load an index that the worker put into Python's file system."""
        try:
            index = Index.load(folder)
        finally:
            shutil.rmtree(folder)  # Pyodide keeps files in memory
        index.check(self._embedder)
        self._indexes.append(index)
        return {"handle": len(self._indexes) - 1, "texts": index.texts}

    async def add(self, handle: int, texts: list[str]) -> None:
        """Embed texts and append them to an index."""
        self._indexes[handle].add(texts, await self._embedder.aencode(texts))

    async def search(self, handle: int, query: str, k: int) -> list[dict[str, Any]]:
        """Rank an index's texts for a query."""
        vectors = await self._embedder.aencode([self._embedder.info.query_prompt + query])
        return [asdict(hit) for hit in self._indexes[handle].search(vectors[0], k=k)]


def open_endpoint(js_model: Any) -> Callable[[str, Any], Awaitable[Any]]:
    """Open the model that `host.js` loaded, and give JavaScript one function to call.

    It answers `{value}` or `{error: {name, message, stack}}`: errors are data, so that a page sees
    Python's own message instead of a traceback.
    """
    endpoint = Endpoint(Embedder.from_pretrained(register(js_model), dtype=js_model.dtype))

    async def call(method: str, js_params: Any) -> Any:
        try:
            value = await getattr(endpoint, method)(**js_params.to_py())
        except Exception as err:  # the border: everything becomes data
            return js_value({"error": _error_to_json(err)})
        return js_value({"value": value})

    return call


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
