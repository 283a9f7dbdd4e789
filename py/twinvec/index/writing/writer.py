"""Write an index in batches, so that an index of any size is written in little memory."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.encoding.arguments import whole_number
from twinvec.errors import ParityWarning, warn_caller
from twinvec.files.atomic import locked
from twinvec.index.documents import Document, to_numbered_line
from twinvec.index.format import (
    check_dim,
    check_precision,
    digest,
    text_digest,
    vector_kinds,
    wide_digest,
)
from twinvec.index.manifest import Manifest
from twinvec.index.vectors import check_vectors, quantize
from twinvec.index.writing.postings import PostingsWriter
from twinvec.index.writing.reuse import PresentIndex
from twinvec.index.writing.shards import Limits, LinesWriter, NewFiles, TableWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from twinvec.index.format import Precision

_TABLES = ("lines", "ids", "texts")


class UnlockedWriter:
    """An `IndexWriter` for a caller that holds the folder's lock."""

    def __init__(
        self,
        folder: Path | str,
        fingerprint: Mapping[str, Any],
        *,
        precision: Precision,
        dim: int,
        lexical: bool = True,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._fingerprint = dict(fingerprint)
        self._precision = check_precision(precision)
        self._dim = whole_number(dim, "dim")
        check_dim(dim)
        self._files = NewFiles(Path(folder))
        self._tables = {
            kind: TableWriter(self._files, kind, dim, limits.array_bytes)
            for kind in (*vector_kinds(precision), *_TABLES)
        }
        self._lines = LinesWriter(self._files, limits.documents_bytes)
        self._postings = PostingsWriter(self._files, limits) if lexical else None
        self._present = PresentIndex(Path(folder), self._fingerprint, precision, dim)
        self._ids: set[int] = set()
        self._count = 0

    def __enter__(self) -> Self:
        self._files.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._files.discard()

    def __len__(self) -> int:
        """Count the documents added so far."""
        return self._count

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Find the rows of texts in the folder's present index, to reuse their vectors.

        No text is found in an index with another fingerprint, precision or dim, or a damaged one.

        Returns:
            int64 [len(texts)]: rows for `add(stored=...)`, -1 for a text that was not found.
        """
        return self._present.find(texts)

    def add(
        self,
        documents: Sequence[Document],
        vectors: ArrayLike,
        *,
        stored: NDArray[np.int64] | None = None,
    ) -> None:
        """Add documents.

        Args:
            documents: each with a unique id; `text` is the text that was encoded.
            vectors: float32, of unit length: one for each document, or with `stored`, one for each
                document whose row there is negative.
            stored: int64 [len(documents)], as returned by `find`: rows of the folder's present
                index, whose vectors are reused unchanged.

        Raises:
            ValueError: an id is in use, metadata is not JSON, the shape of the vectors is wrong,
                or a vector is not finite or not of unit length; the message names the document or
                row. Documents added before stay.
        """
        documents = list(documents)
        rows = np.full(len(documents), -1) if stored is None else np.asarray(stored)
        if rows.shape != (len(documents),):
            raise ValueError(f"stored must have {len(documents)} rows, not the shape {rows.shape}")
        new = np.flatnonzero(rows < 0)
        new_arrays = quantize(check_vectors(vectors, len(new), self._dim), self._precision)
        if len(new) == len(rows):
            self.add_stored(documents, new_arrays)
            return
        arrays = self._present.take(np.maximum(rows, 0))
        for kind, array in arrays.items():
            array[new] = new_arrays[kind]
        self.add_stored(documents, arrays)

    def add_stored(self, documents: Sequence[Document], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add documents with vectors as they are stored, by kind of shard; see `add`."""
        lines = [
            to_numbered_line(self._count + i, document) for i, document in enumerate(documents)
        ]
        ids = [text_digest(document.id) for document in documents]
        self._check_ids(documents, ids)
        if not documents:
            return
        for kind, rows in arrays.items():
            self._tables[kind].append(rows)
        offsets = [self._lines.append(line) for line in lines]
        digests = map(digest, lines)
        texts = b"".join(wide_digest(document.text) for document in documents)
        self._tables["lines"].append(np.array(list(zip(offsets, digests, strict=True)), np.uint64))
        self._tables["ids"].append(np.array(ids, np.uint64))
        self._tables["texts"].append(np.frombuffer(texts, "<u8").reshape(-1, 2))
        if self._postings:
            for document in documents:
                self._postings.append(document.text)
        self._count += len(documents)

    def _check_ids(self, documents: Sequence[Document], digests: Sequence[int]) -> None:
        """Note the ids; none of them if one is in use."""
        for i, (document, id_digest) in enumerate(zip(documents, digests, strict=True)):
            if id_digest in self._ids:
                self._ids.difference_update(digests[:i])
                raise ValueError(
                    f"documents[{self._count + i}]: the id {document.id!r} is already in use; give "
                    "each document a unique id"
                )
            self._ids.add(id_digest)

    def _finish(self) -> None:
        if self._fingerprint.get("parity") == "approximate":
            warn_caller(ParityWarning())
        shards = {kind: table.close() for kind, table in self._tables.items()}
        shards["documents"] = self._lines.close()
        if self._postings:
            shards |= self._postings.close()
        manifest = Manifest(self._fingerprint, self._precision, self._dim, self._count, shards)
        self._files.commit(manifest)


class IndexWriter(UnlockedWriter):
    """Writes an index into a folder: a context manager to which documents are added in batches.

    ::

        with IndexWriter(folder, embedder.fingerprint, precision="int8", dim=384) as writer:
            for documents in batches:
                texts = [document.text for document in documents]
                stored = writer.find(texts)  # rows of the folder's present index, -1 for new texts
                new = [text for text, row in zip(texts, stored) if row < 0]
                writer.add(documents, embedder.encode_document(new), stored=stored)

    At the end of the block the written files become the folder's index. An exception leaves the
    present index intact. Documents keep the order in which they are added. Memory holds incomplete
    shards and 100 bytes a document: a million passages of 384 dimensions take below 1 GB.

    Args:
        folder: created if missing.
        fingerprint: `Embedder.fingerprint` of the embedder that computes the vectors.
        precision: `float32`, `int8` or `binary`; see `Index`.
        dim: length of a vector.
        lexical: write terms as well, for the modes `lexical` and `hybrid`.
        limits: sizes of shards.

    Raises:
        ValueError: the precision is unknown, or the dim is not from 1 to 32,768.
        IndexFormatError: at the beginning of the block: the folder's `index.json` was not written
            by twinvec.
        TwinvecError: another run is writing this index. On a drive without locks, at the end of the
            block: another program replaced this index during the write.
        OSError: writing failed, for example because the disk is full.
    """

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked(self._files.folder))
            super().__enter__()
            self._lock = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            super().__exit__(kind, error, trace)
