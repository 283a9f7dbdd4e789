"""The half of `Index` that reads: opening a saved index, searching, listing documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.encoding.arguments import whole_number
from twinvec.errors import IndexMismatchError
from twinvec.index.contents import Contents
from twinvec.index.format import check_precision
from twinvec.index.search import check_embedder, check_query, search, unit_vector
from twinvec.index.stores.base import adrive, drive
from twinvec.index.stores.open import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self, TypeVar

    from numpy.typing import ArrayLike

    from twinvec.embedder import Embedder
    from twinvec.index.documents import Document
    from twinvec.index.format import Precision
    from twinvec.index.search import Filter, Hit, Mode
    from twinvec.index.stores.base import ByteProgress, Steps, Store

    T = TypeVar("T")


class IndexReader:
    """Documents and their vectors, to be searched; `Index` adds the methods that change them."""

    def __init__(
        self,
        fingerprint: Mapping[str, Any],
        *,
        dim: int,
        precision: Precision = "float32",
        lexical: bool = True,
    ) -> None:
        self.fingerprint = dict(fingerprint)
        self.dim = whole_number(dim, "dim")
        self.precision = check_precision(precision)
        self.lexical = lexical
        self._contents = Contents(self.precision, dim)

    @classmethod
    def load(cls, location: Path | str, *, progress: ByteProgress | None = None) -> Self:
        """Open a saved index. Its vectors are read now, its documents when they are found.

        Args:
            location: a folder, a `.zip` file of one, or the URL of a folder, `http://` or
                `https://`.
            progress: called with the number of bytes of vectors read so far, and their total.

        Raises:
            IndexFormatError: it is not an index, or is of another version, damaged or incomplete.
            IntegrityError: a file differs from the one listed in `index.json`.
            DownloadError: a URL cannot be reached.
        """
        store = open_store(location, progress)
        return drive(cls._load(store), store)

    @classmethod
    async def aload(cls, location: Path | str, *, progress: ByteProgress | None = None) -> Self:
        """Do the same as `load` without blocking the event loop."""
        store = open_store(location, progress)
        return await adrive(cls._load(store), store)

    @classmethod
    def _load(cls, store: Store) -> Steps[Self]:
        manifest, contents = yield from Contents.load(store)
        index = cls(
            manifest.fingerprint,
            dim=manifest.dim,
            precision=manifest.precision,
            lexical=manifest.lexical,
        )
        index._contents = contents
        return index

    def __len__(self) -> int:
        """Count the documents."""
        return len(self._contents)

    def documents(self, start: int = 0, stop: int | None = None) -> list[Document]:
        """Return documents in the index's order, as a slice of all of them."""
        return self._drive(self._contents.read(start, stop))

    async def adocuments(self, start: int = 0, stop: int | None = None) -> list[Document]:
        """Do the same as `documents` without blocking the event loop."""
        return await self._adrive(self._contents.read(start, stop))

    def check(self, embedder: Embedder) -> None:
        """Check that an embedder's vectors are comparable with this index's.

        Raises:
            IndexMismatchError: they are not; the message names every field that differs.
        """
        check_embedder(embedder)
        theirs = embedder.fingerprint
        differences = [
            f"{key} (index: {self.fingerprint.get(key)}, embedder: {theirs.get(key)})"
            for key in {**self.fingerprint, **theirs}
            if self.fingerprint.get(key) != theirs.get(key)
        ]
        if differences:
            raise IndexMismatchError(
                f"the embedder does not match the index: {'; '.join(differences)}. Build the index "
                "again with this embedder, or open the embedder that it was built with."
            )

    def search(
        self,
        query: str,
        embedder: Embedder | None = None,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (the field's word)
        mode: Mode = "semantic",
    ) -> list[Hit]:
        """Rank the documents for a query, best first.

        Args:
            query: a text.
            embedder: encodes the query, after the model's query prompt; one with this index's
                fingerprint. Only the mode `lexical` works without.
            k: maximum number of hits.
            filter: selects the documents that may be found: `{key: value}` or
                `{key: [several, values]}`, compared with their metadata, where a list matches with
                any of its values; or a function of a `Document`. Ranking goes on until `k` hits
                match.
            mode: `semantic` ranks by cosine similarity; `lexical` ranks documents with any of the
                query's terms by BM25; `hybrid` fuses both rankings, so that exact names are found
                as well.

        Raises:
            IndexMismatchError: the embedder's vectors are not comparable with the index's.
            TypeError: the query is not a text, or the mode needs an embedder.
            ValueError: `k` is below 1, the mode is unknown, or it needs terms and the index has
                none.
            DownloadError, IntegrityError, IndexFormatError: a file of a loaded index cannot be
                read, or is damaged.
        """
        encoder = self._query_encoder(query, embedder, mode)
        vector = encoder.encode_query(query) if encoder else None
        text = None if mode == "semantic" else query
        return self._drive(self._search(text, vector, k, filter))

    async def asearch(
        self,
        query: str,
        embedder: Embedder | None = None,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (as above)
        mode: Mode = "semantic",
    ) -> list[Hit]:
        """Do the same as `search` without blocking the event loop."""
        encoder = self._query_encoder(query, embedder, mode)
        vector = await encoder.aencode_query(query) if encoder else None
        text = None if mode == "semantic" else query
        return await self._adrive(self._search(text, vector, k, filter))

    def search_vector(
        self,
        vector: ArrayLike,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (as above)
    ) -> list[Hit]:
        """Rank the documents by cosine similarity to a vector, best first.

        Args:
            vector: float32 [dim] or [1, dim], not necessarily of unit length, encoded with this
                index's fingerprint.
            k: maximum number of hits.
            filter: as in `search`.

        Raises:
            ValueError: it is not a single finite vector of the index's dim, or `k` is below 1.
            Also as in `search`, of files.
        """
        return self._drive(self._search(None, vector, k, filter))

    async def asearch_vector(
        self,
        vector: ArrayLike,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (as above)
    ) -> list[Hit]:
        """Do the same as `search_vector` without blocking the event loop."""
        return await self._adrive(self._search(None, vector, k, filter))

    def _query_encoder(self, query: str, embedder: Embedder | None, mode: Mode) -> Embedder | None:
        """Check the arguments of a search; return the embedder if it has to encode the query."""
        check_query(query, mode, lexical=self.lexical)
        if embedder is not None:
            self.check(embedder)
        if mode == "lexical":
            return None
        if embedder is None:
            raise TypeError(f"mode {mode!r} needs the embedder as well: search(query, embedder)")
        return embedder

    def _search(
        self,
        text: str | None,
        vector: ArrayLike | None,
        k: int,
        filter: Filter | None,  # noqa: A002 (as above)
    ) -> Steps[list[Hit]]:
        unit = None if vector is None else unit_vector(vector, self.dim)
        return (yield from search(self._contents.segments, text, unit, k=k, filter=filter))

    def _drive(self, steps: Steps[T]) -> T:
        return drive(self._contents.naming_replacement(steps), self._contents.reads)

    async def _adrive(self, steps: Steps[T]) -> T:
        return await adrive(self._contents.naming_replacement(steps), self._contents.reads)
