"""`Index`: the public face; what it does is in the modules beside it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twinvec.encoding.tokenizer import check_texts
from twinvec.errors import IndexMismatchError
from twinvec.index.documents import Document, MemoryDocuments, to_line
from twinvec.index.format import Manifest, check_precision, precision_for, vector_kinds
from twinvec.index.ids import Ids
from twinvec.index.search import accepts, check_mode, search, unit
from twinvec.index.segment import Segment, documents_of
from twinvec.index.stores.base import FolderStore, Part, adrive, drive
from twinvec.index.stores.zip import saving
from twinvec.index.vectors import Matrix, encode
from twinvec.index.writing.writer import IndexWriter, check_vectors
from twinvec.runtime import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from twinvec.embedder import Embedder
    from twinvec.index.format import Precision
    from twinvec.index.search import Filter, Hit, Mode
    from twinvec.index.stores.base import Progress, Steps, Store
    from twinvec.index.terms import MemoryLexical

__all__ = ["Index"]

_SAVED = 1024  # documents at once


class Index:
    """Documents and their vectors, searched by meaning, by their words, or both.

    Every method that may read or embed has an async twin beginning with `a`, which works
    everywhere; in the browser the others need JavaScript Promise Integration where they read.

    Args:
        fingerprint: `Embedder.fingerprint` of what makes the vectors.
        dim: of a vector.
        precision: `float32` ranks exactly; `int8` takes a quarter of that, and finds 99 % of the
            same; `binary` takes a 32nd, and finds fewer: see the README.
        lexical: keep terms when it is saved, for the modes `lexical` and `hybrid`.

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
        self.fingerprint = dict(fingerprint)
        self.dim = dim
        self.precision = check_precision(precision)
        self.lexical = lexical
        self._store: Store | None = None
        self._segments: list[Segment] = []
        self._ids = Ids()
        self._changes: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def __len__(self) -> int:
        """Count the documents."""
        return sum(len(one) - len(one.removed) for one in self._segments)

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
        """Embed texts as documents, with the model's own pooling, in memory.

        What does not fit there is written by `IndexWriter`.

        Args:
            texts: a list of strings.
            embedder: what embeds them.
            ids: one for each text; their positions unless given.
            metadata: JSON-ready mappings, one for each text.
            precision: see the class; None for `float32` up to 5,000 texts, and `int8` above.
            lexical: see the class.
            progress: as in `Embedder.encode`.

        Raises:
            ValueError: an id is there twice, the metadata are not JSON, or their number or that of
                the ids is not that of the texts.
            Also what `Embedder.encode` raises.
        """
        checked = check_texts(texts)
        index = cls._sized(embedder, len(checked), precision, lexical=lexical)
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
        """Do what `build` does, as `Embedder.aencode` does it."""
        checked = check_texts(texts)
        index = cls._sized(embedder, len(checked), precision, lexical=lexical)
        await index.aadd(checked, embedder, ids=ids, metadata=metadata, progress=progress)
        return index

    @classmethod
    def _sized(
        cls, embedder: Embedder, count: int, precision: Precision | None, *, lexical: bool
    ) -> Index:
        chosen = precision or precision_for(count)
        return cls(embedder.fingerprint, dim=embedder.info.dim, precision=chosen, lexical=lexical)

    def add(
        self,
        texts: Iterable[str],
        vectors: Embedder | ArrayLike,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Append documents.

        Args:
            texts: a list of strings.
            vectors: an embedder of this index's fingerprint, or what such a one made of the texts:
                float32 [len(texts), dim], of unit length.
            ids: as in `build`.
            metadata: as in `build`.
            progress: as in `Embedder.encode`.

        Raises:
            IndexMismatchError: the embedder's vectors are not comparable with the index's.
            TypeError: `texts` is not a list of strings.
            ValueError: the vectors' shape does not fit, or one is not finite or of another length.
                Also as in `build`. Nothing is added then.
        """
        checked = check_texts(texts)
        drive(self._documents(checked, ids, metadata), self._store)
        embedder = self._embedder(vectors)
        made = embedder.encode_document(checked, progress=progress) if embedder else vectors
        drive(self._append(checked, cast("ArrayLike", made), ids, metadata), self._store)

    async def aadd(
        self,
        texts: Iterable[str],
        vectors: Embedder | ArrayLike,
        *,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Do what `add` does without blocking the event loop."""
        checked = check_texts(texts)
        async with self._changing():
            await adrive(self._documents(checked, ids, metadata), self._store)
        embedder = self._embedder(vectors)
        made = await embedder.aencode_document(checked, progress=progress) if embedder else vectors
        async with self._changing():  # another call may have added meanwhile: it checks again
            await adrive(self._append(checked, cast("ArrayLike", made), ids, metadata), self._store)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove documents; what stays keeps its position until the index is saved and loaded.

        Raises:
            KeyError: no document has one of these ids; nothing is removed then.
        """
        drive(self._remove(list(ids)), self._store)

    async def aremove(self, ids: Iterable[str]) -> None:
        """Do what `remove` does without blocking the event loop."""
        async with self._changing():
            await adrive(self._remove(list(ids)), self._store)

    def documents(self, start: int = 0, stop: int | None = None) -> list[Document]:
        """Give documents in the index's order, as a slice of them all would."""
        return drive(self._slice(start, stop), self._store)

    async def adocuments(self, start: int = 0, stop: int | None = None) -> list[Document]:
        """Do what `documents` does without blocking the event loop."""
        return await adrive(self._slice(start, stop), self._store)

    def check(self, embedder: Embedder) -> None:
        """Check that an embedder's vectors are comparable with this index's.

        Raises:
            IndexMismatchError: they are not; the message names every field that differs.
        """
        asked = embedder.fingerprint
        fields = {**self.fingerprint, **asked}
        differing = [key for key in fields if self.fingerprint.get(key) != asked.get(key)]
        if differing:
            pairs = [
                f"{key} (index: {self.fingerprint.get(key)}, embedder: {asked.get(key)})"
                for key in differing
            ]
            raise IndexMismatchError(
                f"the index was built otherwise than this embedder encodes: {'; '.join(pairs)}. "
                "Build the index again with this embedder, or open the embedder it was built with."
            )

    def search(
        self,
        query: str | ArrayLike,
        embedder: Embedder | None = None,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (the field's word)
        mode: Mode = "semantic",
    ) -> list[Hit]:
        """Rank the documents for a query, best first.

        Args:
            query: a text, embedded by `embedder` behind the model's query prompt, or a vector,
                float32 [dim] or [1, dim].
            embedder: needed for a text, unless the mode is `lexical`; checked against the index's
                fingerprint.
            k: how many hits at most.
            filter: which documents may be found: `{key: value}` or `{key: [one, of, these]}` for
                their metadata, where a list holds any of its values, or a function of a
                `Document`. As many are ranked as it takes to find `k`.
            mode: `semantic` ranks by cosine; `lexical` by BM25 what has any of the query's terms;
                `hybrid` fuses both rankings, so that exact names are found as well.

        Raises:
            IndexMismatchError: the embedder's vectors are not comparable with the index's.
            TypeError: the query is a text and there is no embedder, or a vector and the mode needs
                a text.
            ValueError: the query is not one finite vector of the index's dims, `k` is below 1, the
                mode is unknown, or the index has no terms.
            DownloadError, IntegrityError, IndexFormatError: what is read of a loaded index cannot
                be, or is not what was saved.
        """
        asked = self._asked(query, embedder, k, mode)
        vector = asked.encode_query(cast("str", query)) if asked else query
        return drive(self._search(query, vector, k, filter, mode), self._store)

    async def asearch(
        self,
        query: str | ArrayLike,
        embedder: Embedder | None = None,
        *,
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 (as above)
        mode: Mode = "semantic",
    ) -> list[Hit]:
        """Do what `search` does without blocking the event loop."""
        asked = self._asked(query, embedder, k, mode)
        vector = await asked.aencode_query(cast("str", query)) if asked else query
        return await adrive(self._search(query, vector, k, filter, mode), self._store)

    def save(self, location: Path | str) -> None:
        """Write the index into a folder, made if it is not there; see `format`.

        A location that ends in `.zip` becomes one file instead, the folder as an archive. An index
        that is there is replaced in one step, so that a crash leaves either. What was loaded from
        the same location goes on with the new files.

        Warns with `ParityWarning` where other runtimes' vectors are only near these.

        Raises:
            IndexFormatError: the folder's `index.json` is another program's; or a document that is
                still to be read cannot be.
            TwinvecError: another program wrote this index meanwhile.
            OSError: the disk is full, or the like.
        """
        with saving(location) as folder:
            drive(self._save(folder), self._store)
        if self._is_at(location):
            self._go_on_with(Index.load(location))

    async def asave(self, location: Path | str) -> None:
        """Do what `save` does; what is read meanwhile does not block the event loop.

        `aadd` and `aremove` wait until it is done; their twins cannot.
        """
        async with self._changing():
            with saving(location) as folder:
                await adrive(self._save(folder), self._store)
            if self._is_at(location):
                self._go_on_with(await Index.aload(location))

    @classmethod
    def load(cls, location: Path | str, *, progress: Progress | None = None) -> Index:
        """Open what `save` wrote: its vectors are read, its documents when they are found.

        Args:
            location: a folder, a `.zip` file of one, or the URL of a folder, `http://` or
                `https://`.
            progress: called with the bytes of vectors that were read, and all there are.

        Raises:
            IndexFormatError: it is not an index, one of another version, damaged, or incomplete.
            IntegrityError: a file is not the one that `index.json` lists.
            DownloadError: a URL cannot be reached.
        """
        store = open_store(location, progress)
        return drive(cls._load(store), store)

    @classmethod
    async def aload(cls, location: Path | str, *, progress: Progress | None = None) -> Index:
        """Do what `load` does without blocking the event loop."""
        store = open_store(location, progress)
        return await adrive(cls._load(store), store)

    @classmethod
    def _load(cls, store: Store) -> Steps[Index]:
        (content,) = yield [Part()]
        manifest = Manifest.from_json(content)
        kinds = (*vector_kinds(manifest.precision), "lines")
        store.expect(
            sum(shard.bytes for kind in kinds for shard in manifest.shards[kind]),
            [shard.sha256 for some in manifest.shards.values() for shard in some],
        )
        index = cls(
            manifest.fingerprint,
            dim=manifest.dim,
            precision=manifest.precision,
            lexical=manifest.lexical,
        )
        index._store, index._ids = store, Ids(manifest)
        index._segments = [(yield from Segment.load(manifest))]
        return index

    def _changing(self) -> asyncio.Lock:
        """Let one async call change or save at a time.

        A lock is of the event loop in which it was first waited for, so each loop gets its own.
        """
        loop = asyncio.get_running_loop()
        if self._changes is None or self._changes[0] is not loop:
            self._changes = loop, asyncio.Lock()
        return self._changes[1]

    def _is_at(self, location: Path | str) -> bool:
        """Tell whether this index was loaded from here."""
        with suppress(OSError):  # it may have been moved away since
            return isinstance(self._store, FolderStore) and self._store.folder.samefile(location)
        return False

    def _go_on_with(self, saved: Index) -> None:
        """Take the place of what was loaded: its files are gone."""
        self._store, self._segments, self._ids = saved._store, saved._segments, saved._ids

    def _embedder(self, given: Embedder | ArrayLike) -> Embedder | None:
        if not hasattr(given, "encode_document"):
            return None
        embedder = cast("Embedder", given)
        self.check(embedder)
        return embedder

    def _documents(
        self,
        texts: list[str],
        ids: Sequence[str] | None,
        metadata: Sequence[Mapping[str, Any]] | None,
    ) -> Steps[list[Document]]:
        """Make documents of what is given, and check that their ids are new."""
        for name, given in (("ids", ids), ("metadata", metadata)):
            if given is not None and len(given) != len(texts):
                raise ValueError(f"{len(texts)} texts need as many {name}, not {len(given)}")
        chosen = (yield from self._new_ids(len(texts))) if ids is None else check_texts(ids)
        rest = [{}] * len(texts) if metadata is None else metadata
        documents = [Document(*one) for one in zip(chosen, texts, map(dict, rest), strict=True)]
        taken: set[str] = set()
        for i, document in enumerate(documents):
            if document.id in taken or (yield from self._find(document.id)) is not None:
                raise ValueError(
                    f"ids[{i}]: {document.id!r} was there before; give every document an id of its "
                    "own, or remove the old one first"
                )
            taken.add(document.id)
            try:
                to_line(document)
            except (TypeError, ValueError) as err:
                raise ValueError(f"metadata[{i}] are not JSON ({err})") from err
        return documents

    def _new_ids(self, count: int) -> Steps[list[str]]:
        """Count on from the number of positions; after a removal one of these may be taken."""
        found: list[str] = []
        number = sum(map(len, self._segments))
        while len(found) < count:
            if (yield from self._find(str(number))) is None:
                found.append(str(number))
            number += 1
        return found

    def _find(self, name: str) -> Steps[int | None]:
        """Find the position of an id, unless its document was removed."""
        position = yield from self._ids.find(name)
        for segment in self._segments:
            if position is not None and segment.offset <= position < segment.offset + len(segment):
                return None if position - segment.offset in segment.removed else position
        return None

    def _append(
        self,
        texts: list[str],
        vectors: ArrayLike,
        ids: Sequence[str] | None,
        metadata: Sequence[Mapping[str, Any]] | None,
    ) -> Steps[None]:
        documents = yield from self._documents(texts, ids, metadata)
        made = encode(check_vectors(vectors, len(documents), self.dim), self.precision)
        if not self._segments or not isinstance(self._segments[-1].documents, MemoryDocuments):
            offset = sum(map(len, self._segments))
            self._segments.append(Segment.empty(offset, Matrix(self.precision, self.dim)))
        last = self._segments[-1]
        for row, document in enumerate(documents, last.offset + len(last)):
            self._ids.add(document.id, row)
        cast("MemoryDocuments", last.documents).all += documents
        cast("MemoryLexical", last.lexical).append(texts)
        last.matrix.append(made)

    def _remove(self, ids: list[str]) -> Steps[None]:
        positions = []
        for one in check_texts(ids):
            position = yield from self._find(one)
            if position is None:
                raise KeyError(f"no document has the id {one!r}")
            positions.append(position)
        for segment in self._segments:
            rows = np.array(positions, np.int64) - segment.offset
            inside = rows[(rows >= 0) & (rows < len(segment))]
            removed = {*segment.removed.tolist(), *inside.tolist()}
            segment.removed = np.array(sorted(removed), np.int64)

    def _slice(self, start: int, stop: int | None) -> Steps[list[Document]]:
        kept = [segment.kept() + segment.offset for segment in self._segments]
        positions = np.concatenate([np.empty(0, np.int64), *kept])[start:stop]
        return (yield from documents_of(self._segments, positions.tolist()))

    def _asked(
        self, query: str | ArrayLike, embedder: Embedder | None, k: int, mode: Mode
    ) -> Embedder | None:
        """Check the arguments of a search; the embedder, where it has to embed the query."""
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        check_mode(mode, query, lexical=self.lexical)
        if embedder is not None:
            self.check(embedder)
        if not isinstance(query, str) or mode == "lexical":
            return None
        if embedder is None:
            raise TypeError("search(query, embedder): a text needs the embedder as well")
        return embedder

    def _search(
        self,
        query: str | ArrayLike,
        vector: str | ArrayLike,
        k: int,
        chosen: Filter | None,
        mode: Mode,
    ) -> Steps[list[Hit]]:
        accept = None if chosen is None else accepts(chosen)
        made = None if isinstance(vector, str) else unit(vector, self.dim)
        text = query if isinstance(query, str) else ""
        return (yield from search(self._segments, text, made, k=k, accept=accept, mode=mode))

    def _save(self, folder: Path) -> Steps[None]:
        with IndexWriter(
            folder,
            self.fingerprint,
            precision=self.precision,
            dim=self.dim,
            lexical=self.lexical,
        ) as writer:
            for segment in self._segments:
                kept = segment.kept()
                for start in range(0, len(kept), _SAVED):
                    rows = kept[start : start + _SAVED]
                    documents = yield from segment.documents.get(rows.tolist())
                    writer.append(documents, segment.matrix.take(rows))
