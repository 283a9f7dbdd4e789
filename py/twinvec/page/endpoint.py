"""What a page may ask of Python: the far end of `web/worker.js`, in Pyodide only."""

from __future__ import annotations

import platform
import traceback
import weakref
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from twinvec.catalog.open import open_model
from twinvec.embedder import Embedder
from twinvec.encoding.quantize import quantize_embeddings
from twinvec.index import Index
from twinvec.runtime.pyodide import js_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from twinvec.encoding.pipeline import Progress
    from twinvec.encoding.pooling import PoolingName
    from twinvec.encoding.quantize import Precision
    from twinvec.index.search import Mode


class Endpoint:
    """What a page may ask of Python, by method name, `open` first; see `web/protocol.js`."""

    _embedder: Embedder
    _adder: Embedder
    """The same model, counting by itself which texts it cut: queries are none of them."""

    def __init__(self) -> None:
        self._indexes: dict[int, Index] = {}
        self._urls: dict[int, str] = {}
        self._handles = count()

    async def open(
        self, dtype: str, max_length: int | None, truncate_dim: int | None, self_check: bool
    ) -> dict[str, Any]:
        """Open the model that the page has loaded; return its name, weights and Python version."""
        info, core, session = open_model(None, dtype=dtype)
        self._embedder, self._adder = (
            Embedder(
                info, core, session, dtype=dtype, max_length=max_length, truncate_dim=truncate_dim
            )
            for _ in range(2)
        )
        deviation = await self._embedder.acheck_parity(count=1) if self_check else None
        return {
            "model": info.name,
            "revision": info.revision,
            "dtype": dtype,
            "parity": self._embedder.parity,
            "deviation": deviation,
            "fingerprint": self._embedder.fingerprint,
            "python": platform.python_version(),
        }

    async def embed(
        self,
        *,
        texts: list[str],
        prompt: str,
        pooling: PoolingName | Literal["none"],
        normalize: bool,
        precision: Precision | Literal["float32"],
        progress: Progress,
    ) -> dict[str, Any]:
        """Embed texts; dims are [n, dim], or [n, longest, dim] for pooling `none`."""
        vectors: NDArray[Any]
        if pooling == "none":
            token_vectors = await self._embedder.aencode_tokens(
                texts, prompt=prompt, normalize=normalize, progress=progress
            )
            vectors = _pad(token_vectors, self._embedder.info.dim)
        else:
            vectors = await self._embedder.aencode(
                texts, prompt=prompt, pooling=pooling, normalize=normalize, progress=progress
            )
        if precision != "float32":
            vectors = quantize_embeddings(vectors, precision)
        return {"dims": vectors.shape, "data": vectors.ravel()}

    async def count_tokens(self, texts: list[str]) -> list[int]:
        """Count each text's tokens."""
        return self._embedder.count_tokens(texts)

    async def open_index(self, url: str, progress: Progress) -> dict[str, Any]:
        """Open an index of this model."""
        index = await Index.aload(url, progress=progress)
        index.check(self._embedder)
        opened = self._hold(index)
        self._urls[opened["handle"]] = url
        return opened

    async def import_index(self, location: str, progress: Progress) -> dict[str, Any]:
        """Open an archive in Pyodide's file system; it is read as long as the index is used."""
        with ExitStack() as used:
            used.callback(Path(location).unlink)
            index = await Index.aload(location, progress=progress)
            index.check(self._embedder)
            weakref.finalize(index, used.pop_all().close)
        return self._hold(index)

    async def create_index(self) -> dict[str, Any]:
        """Begin an empty index of this model."""
        return self._hold(Index(self._embedder.fingerprint, dim=self._embedder.info.dim))

    async def close_index(self, handle: int) -> None:
        """Let an index go; what is being asked of it is still answered."""
        del self._indexes[handle]
        self._urls.pop(handle, None)

    async def save(self, handle: int, location: str) -> None:
        """Write an index into a folder, or a `.zip` file, of Pyodide's file system."""
        await self._indexes[handle].asave(location)

    async def saved(self, handle: int, url: str) -> None:
        """Go on with what an index was saved as, where it replaces what it was opened from."""
        if self._urls.get(handle) == url:
            self._indexes[handle] = await Index.aload(url)

    async def passages(self, source: str, sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cut a file, which the page has read as sections, into documents."""
        # Imported when it is asked for: start-up is what every visitor waits for.
        from twinvec.documents.chunker import Chunker
        from twinvec.documents.passages import passages_of
        from twinvec.documents.section import Section

        found = passages_of((Section(**one) for one in sections), Chunker(self._embedder), source)
        return [asdict(document) for document in found]

    async def remove(self, handle: int, ids: list[str]) -> dict[str, int]:
        """Remove documents of an index."""
        await self._indexes[handle].aremove(ids)
        return {"size": len(self._indexes[handle])}

    async def add(
        self,
        handle: int,
        texts: list[str],
        ids: list[str] | None,
        metadata: list[dict[str, Any]] | None,
        progress: Progress,
    ) -> dict[str, int]:
        """Embed texts and append them to an index; tell how many such texts were cut so far."""
        index = self._indexes[handle]
        await index.aadd(texts, self._adder, ids=ids, metadata=metadata, progress=progress)
        return {"truncated": self._adder.truncated, "size": len(index)}

    async def documents(self, handle: int, start: int, stop: int | None) -> list[dict[str, Any]]:
        """Give documents in an index's order."""
        found = await self._indexes[handle].adocuments(start, stop)
        return [asdict(document) for document in found]

    async def search(
        self,
        handle: int,
        query: str,
        k: int,
        filter: dict[str, Any] | None,  # noqa: A002 (the field's word)
        mode: Mode,
    ) -> list[dict[str, Any]]:
        """Rank the documents of an index for a text."""
        index = self._indexes[handle]
        hits = await index.asearch(query, self._embedder, k=k, filter=filter, mode=mode)
        return [asdict(hit) for hit in hits]

    async def search_vector(
        self,
        handle: int,
        vector: NDArray[np.float32],
        k: int,
        filter: dict[str, Any] | None,  # noqa: A002 (as above)
    ) -> list[dict[str, Any]]:
        """Rank the documents of an index for a vector, float32 [dim]."""
        hits = await self._indexes[handle].asearch_vector(vector, k=k, filter=filter)
        return [asdict(hit) for hit in hits]

    def _hold(self, index: Index) -> dict[str, Any]:
        handle = next(self._handles)
        self._indexes[handle] = index
        return {"handle": handle, "size": len(index), "lexical": index.lexical}


def open_endpoint() -> Callable[[str, Any], Awaitable[Any]]:
    """Give JavaScript one function to call about the model that the page has loaded.

    It answers `{value}` or `{error: {name, message, stack}}`: errors are data, so that a page sees
    Python's own message instead of a traceback.
    """
    endpoint = Endpoint()

    async def call(method: str, js_params: Any, js_progress: Any = None) -> Any:
        try:
            options = {"progress": js_progress} if js_progress else {}
            value = await getattr(endpoint, method)(**js_params.to_py(), **options)
        except Exception as err:  # the border: everything becomes data
            return js_value({"error": _error_to_json(err)})
        return js_value({"value": value})

    return call


def _pad(states: list[NDArray[np.float32]], dim: int) -> NDArray[np.float32]:
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
