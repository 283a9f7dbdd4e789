"""The requests of a page that Python answers, for `web/workers/python.js`; in Pyodide only."""

from __future__ import annotations

import platform
import traceback
import weakref
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
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
    """The answers to a page's requests, a method each; `open` comes first.

    `web/workers/python.js` calls them; `web/wire/protocol.js` lists the requests.
    """

    _embedder: Embedder
    _document_embedder: Embedder
    """The same model, with its own count of truncated texts: queries do not count."""

    def __init__(self) -> None:
        self._indexes: dict[int, Index] = {}
        self._urls: dict[int, str] = {}
        self._handles = count()

    async def open(
        self, dtype: str, max_length: int | None, truncate_dim: int | None, self_check: bool
    ) -> dict[str, Any]:
        """Open the model that the page has loaded, and describe it."""
        info, core, session = open_model(None, dtype=dtype)
        embedder = partial(
            Embedder,
            info,
            core,
            session,
            dtype=dtype,
            max_length=max_length,
            truncate_dim=truncate_dim,
        )
        self._embedder, self._document_embedder = embedder(), embedder()
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
        """Embed texts; dims are [n, dim], or [n, longest, dim] with pooling `none`."""
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
        """Count the tokens of each text."""
        return self._embedder.count_tokens(texts)

    async def token_ids(self, texts: list[str]) -> dict[str, Any]:
        """Tokenize texts; the ids of all texts are int32 [tokens], the lengths int32 [n]."""
        ids = self._embedder.pipeline.token_ids(texts)
        return {
            "ids": np.concatenate([np.empty(0), *ids], dtype=np.int32, casting="unsafe"),
            "lengths": np.array([len(text_ids) for text_ids in ids], np.int32),
        }

    async def open_index(self, url: str, progress: Progress) -> dict[str, Any]:
        """Open an index of this model."""
        index = await Index.aload(url, progress=progress)
        index.check(self._embedder)
        opened = self._hold(index)
        self._urls[opened["handle"]] = url
        return opened

    async def import_index(self, location: str, progress: Progress) -> dict[str, Any]:
        """Open an archive in Pyodide's file system; delete it when the index is garbage."""
        with ExitStack() as archive:
            archive.callback(Path(location).unlink)
            index = await Index.aload(location, progress=progress)
            index.check(self._embedder)
            weakref.finalize(index, archive.pop_all().close)
        return self._hold(index)

    async def create_index(self) -> dict[str, Any]:
        """Create an empty index of this model."""
        return self._hold(Index(self._embedder.fingerprint, dim=self._embedder.info.dim))

    async def close_index(self, handle: int) -> None:
        """Release an index; pending requests to it are still answered."""
        del self._indexes[handle]
        self._urls.pop(handle, None)

    async def save(self, handle: int, location: str) -> None:
        """Save an index into a folder or a `.zip` file of Pyodide's file system."""
        await self._indexes[handle].asave(location)

    async def saved(self, handle: int, url: str) -> None:
        """Open an index again if it was saved over the address that it was opened from."""
        if self._urls.get(handle) == url:
            self._indexes[handle] = await Index.aload(url)

    async def passages(self, source: str, sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cut the sections of a file, which the page has read, into documents."""
        # Imported on the first request: every visitor waits for imports at start-up.
        from twinvec.documents.chunker import Chunker
        from twinvec.documents.passages import passages_of
        from twinvec.documents.section import Section

        pieces = (Section(**fields) for fields in sections)
        documents = passages_of(pieces, Chunker(self._embedder), source)
        return [asdict(document) for document in documents]

    async def remove(self, handle: int, ids: list[str]) -> dict[str, int]:
        """Remove documents from an index."""
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
        """Embed texts and append them to an index; count all texts truncated so far."""
        index = self._indexes[handle]
        embedder = self._document_embedder
        await index.aadd(texts, embedder, ids=ids, metadata=metadata, progress=progress)
        return {"truncated": embedder.truncated, "size": len(index)}

    async def documents(self, handle: int, start: int, stop: int | None) -> list[dict[str, Any]]:
        """Read documents in the order of an index."""
        documents = await self._indexes[handle].adocuments(start, stop)
        return [asdict(document) for document in documents]

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
    """Return the one function that JavaScript calls, with a method of `Endpoint` and its params.

    It returns `{value}` or `{error: {name, message, stack}}`. Errors are data, so that a page shows
    Python's own message instead of a traceback.
    """
    endpoint = Endpoint()

    async def call(method: str, js_params: Any, js_progress: Any = None) -> Any:
        try:
            options = {"progress": js_progress} if js_progress else {}
            value = await getattr(endpoint, method)(**js_params.to_py(), **options)
        except Exception as err:  # the border to JavaScript: every error becomes data
            return js_value({"error": _error_to_json(err)})
        return js_value({"value": value})

    return call


def _pad(token_vectors: list[NDArray[np.float32]], dim: int) -> NDArray[np.float32]:
    """Stack [tokens, dim] arrays into [n, longest, dim], with zeros after the end of each text."""
    longest = max(map(len, token_vectors), default=0)
    padded = np.zeros((len(token_vectors), longest, dim), np.float32)
    for row, vectors in zip(padded, token_vectors, strict=True):
        row[: len(vectors)] = vectors
    return padded


def _error_to_json(err: Exception) -> dict[str, str]:
    return {
        "name": type(err).__name__,
        "message": str(err),
        "stack": "".join(traceback.format_exception(err)),
    }
