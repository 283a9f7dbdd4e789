"""`Index`: the public methods; each part of the work has a module beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinvec.encoding.tokenizer import check_texts
from twinvec.index.changes import ChangeLock
from twinvec.index.contents import Contents
from twinvec.index.format import precision_for
from twinvec.index.reader import IndexReader
from twinvec.index.search import check_embedder
from twinvec.index.stores.base import adrive, drive
from twinvec.index.stores.open import open_store
from twinvec.index.stores.zip import saving
from twinvec.index.writing.writer import IndexWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from twinvec.embedder import Embedder
    from twinvec.encoding.pipeline import Progress
    from twinvec.index.format import Precision
    from twinvec.index.stores.base import Steps


class Index(IndexReader):
    """Documents and their vectors, searched by meaning, by words, or both.

    Every method that may read files or encode texts has an async twin beginning with `a`, which
    works everywhere. In the browser the others need JavaScript Promise Integration to read.

    ::

        index = Index.build(["The giant panda.", "A lion sleeps."], embedder)
        print(index.search("bear", embedder, k=1))
        index.save("animals")

    Args:
        fingerprint: `Embedder.fingerprint` of the embedder that computes the vectors.
        dim: length of a vector.
        precision: `float32` ranks exactly; `int8` takes a quarter of the space and finds 99 % of
            the same documents; `binary` takes a 32nd and finds fewer, see the README.
        lexical: save terms as well, for the modes `lexical` and `hybrid`.

    Raises:
        ValueError: the precision is unknown.
    """

    def __init__(
        self,
        fingerprint: Mapping[str, Any],
        *,
        dim: int,
        precision: Precision = "float32",
        lexical: bool = True,
    ) -> None:
        super().__init__(fingerprint, dim=dim, precision=precision, lexical=lexical)
        self._changes = ChangeLock()

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        embedder: Embedder,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        precision: Precision | None = None,
        lexical: bool = True,
        progress: Progress | None = None,
    ) -> Index:
        """Encode texts as documents, with the model's own pooling, in memory.

        For more documents than fit in memory, use `IndexWriter`.

        Args:
            texts: a list of strings.
            embedder: encodes the texts.
            ids: a unique one for each text; by default the positions.
            metadata: a JSON-ready mapping for each text.
            precision: as for `Index`; None means `float32` up to 5,000 texts, and `int8` above.
            lexical: as for `Index`.
            progress: as in `Embedder.encode`.

        Raises:
            ValueError: an id occurs twice, metadata is not JSON, or the numbers of texts, ids and
                metadata differ.
            Also all that `Embedder.encode` raises.
        """
        checked = check_texts(texts)
        index = cls._empty(embedder, precision or precision_for(len(checked)), lexical=lexical)
        index.add(checked, embedder, ids=ids, metadata=metadata, progress=progress)
        return index

    @classmethod
    async def abuild(
        cls,
        texts: Iterable[str],
        embedder: Embedder,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        precision: Precision | None = None,
        lexical: bool = True,
        progress: Progress | None = None,
    ) -> Index:
        """Do the same as `build` without blocking the event loop."""
        checked = check_texts(texts)
        index = cls._empty(embedder, precision or precision_for(len(checked)), lexical=lexical)
        await index.aadd(checked, embedder, ids=ids, metadata=metadata, progress=progress)
        return index

    @classmethod
    def _empty(cls, embedder: Embedder, precision: Precision, *, lexical: bool) -> Index:
        check_embedder(embedder)
        dim = embedder.info.dim
        return cls(embedder.fingerprint, dim=dim, precision=precision, lexical=lexical)

    def add(
        self,
        texts: Iterable[str],
        embedder: Embedder,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Encode texts and append them as documents.

        Args:
            texts: a list of strings.
            embedder: one with this index's fingerprint.
            ids: as in `build`; by default the positions, skipping ids that are in use.
            metadata: as in `build`.
            progress: as in `Embedder.encode`.

        Raises:
            IndexMismatchError: the embedder's vectors are not comparable with the index's.
            TypeError: `texts` is not a list of strings.
            ValueError: as in `build`. Nothing is added.
        """
        checked = check_texts(texts)
        self._drive(self._contents.new_documents(checked, ids, metadata))
        self.check(embedder)
        vectors = embedder.encode_document(checked, progress=progress)
        with self._changes.held():  # another call may have added documents: check again
            self._drive(self._contents.add(checked, vectors, ids, metadata))

    async def aadd(
        self,
        texts: Iterable[str],
        embedder: Embedder,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Do the same as `add` without blocking the event loop."""
        checked = check_texts(texts)
        await self._adrive(self._contents.new_documents(checked, ids, metadata))
        self.check(embedder)
        vectors = await embedder.aencode_document(checked, progress=progress)
        async with self._changes.aheld():  # another call may have added documents: check again
            await self._adrive(self._contents.add(checked, vectors, ids, metadata))

    def add_vectors(
        self,
        texts: Iterable[str],
        vectors: ArrayLike,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Append documents whose vectors are already computed.

        Args:
            texts: a list of strings.
            vectors: float32 [len(texts), dim], of unit length, computed by an embedder with this
                index's fingerprint.
            ids: as in `add`.
            metadata: as in `build`.

        Raises:
            TypeError: `texts` is not a list of strings.
            ValueError: the shape of the vectors is wrong, or a vector is not finite or not of unit
                length. Also as in `build`. Nothing is added.
        """
        checked = check_texts(texts)
        with self._changes.held():
            self._drive(self._contents.add(checked, vectors, ids, metadata))

    async def aadd_vectors(
        self,
        texts: Iterable[str],
        vectors: ArrayLike,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Do the same as `add_vectors` without blocking the event loop."""
        async with self._changes.aheld():
            await self._adrive(self._contents.add(check_texts(texts), vectors, ids, metadata))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove documents. The others keep their positions until the index is saved and loaded.

        Raises:
            KeyError: no document has one of these ids. Nothing is removed.
        """
        unwanted = check_texts(ids, "ids")
        with self._changes.held():
            self._drive(self._contents.remove(unwanted))

    async def aremove(self, ids: Iterable[str]) -> None:
        """Do the same as `remove` without blocking the event loop."""
        async with self._changes.aheld():
            await self._adrive(self._contents.remove(check_texts(ids, "ids")))

    def save(self, location: Path | str) -> None:
        """Write the index into a folder, created if missing; see `format` for its files.

        A location that ends in `.zip` becomes an archive of that folder. An existing index is
        replaced in one step, so that a crash leaves the old index or the new one. An index that
        was loaded from this location continues with the new files.

        Warns with `ParityWarning` if other runtimes compute slightly different vectors.

        Raises:
            IndexFormatError: the folder's `index.json` was not written by twinvec, or a document
                cannot be read from the loaded index.
            TwinvecError: another program replaced this index during the write.
            OSError: writing failed, for example because the disk is full.
        """
        with self._changes.held():
            self._save(location)

    def _save(self, location: Path | str) -> None:
        with saving(location) as folder:
            self._drive(self._write(folder))
        if self._contents.is_at(location):
            store = open_store(location, None)
            _, self._contents = drive(Contents.load(store), store)

    async def asave(self, location: Path | str) -> None:
        """Do the same as `save` without blocking the event loop while reading.

        Other changes of the index wait until it is done. A blocking one in the same thread would
        wait for ever, so it raises a `TwinvecError`.
        """
        async with self._changes.aheld():
            with saving(location) as folder:
                await self._adrive(self._write(folder))
            if self._contents.is_at(location):
                store = open_store(location, None)
                _, self._contents = await adrive(Contents.load(store), store)

    def _write(self, folder: Path) -> Steps[None]:
        with IndexWriter(
            folder,
            self.fingerprint,
            precision=self.precision,
            dim=self.dim,
            lexical=self.lexical,
        ) as writer:
            yield from self._contents.write(writer)
