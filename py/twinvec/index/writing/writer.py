"""Write an index piece by piece, so that one of any size is made in little memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import ParityWarning
from twinvec.index.documents import Document, to_line
from twinvec.index.format import (
    Manifest,
    check_precision,
    digest,
    text_digest,
    vector_kinds,
    wide_digest,
)
from twinvec.index.vectors import check_vectors, quantize
from twinvec.index.writing.postings import PostingsWriter
from twinvec.index.writing.reuse import Previous
from twinvec.index.writing.shards import LinesWriter, NewFiles, TableWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from twinvec.index.format import Precision

_TABLES = ("lines", "ids", "texts")


class IndexWriter:
    """Writes an index into a folder: a context manager that takes documents as they come.

    ::

        with IndexWriter(folder, embedder.fingerprint, precision="int8", dim=384) as writer:
            for documents in batches:
                texts = [document.text for document in documents]
                stored = writer.find(texts)  # rows of the folder's present index; -1: not there
                new = [text for text, row in zip(texts, stored) if row < 0]
                writer.add(documents, embedder.encode_document(new), stored=stored)

    Leaving the block makes what was written the folder's index; an exception, there as well, leaves
    the one that was there, whole. Rows come in the order of `add`. Nothing is kept of what was
    added but unfinished shards and 100 bytes a document: a million passages of 384 dims take below
    1 GB.

    Args:
        folder: made if it is not there.
        fingerprint: `Embedder.fingerprint` of what makes the vectors.
        precision: `float32`, `int8` or `binary`; see `Index.build`.
        dim: of a vector.
        lexical: write terms as well, which the modes `lexical` and `hybrid` search.

    Raises:
        ValueError: the precision is unknown.
        IndexFormatError: the folder's `index.json` is another program's.
        TwinvecError: on leaving the block: another program wrote this index meanwhile.
        OSError: the disk is full, or the like.
    """

    def __init__(
        self,
        folder: Path | str,
        fingerprint: Mapping[str, Any],
        *,
        precision: Precision,
        dim: int,
        lexical: bool = True,
    ) -> None:
        self._fingerprint = dict(fingerprint)
        self._precision = check_precision(precision)
        self._dim = dim
        self._files = NewFiles(Path(folder))
        kinds = (*vector_kinds(precision), *_TABLES)
        self._tables = {kind: TableWriter(self._files, kind, dim) for kind in kinds}
        self._lines = LinesWriter(self._files)
        self._postings = PostingsWriter(self._files) if lexical else None
        self._previous = Previous.open(self._files.folder, self._fingerprint, self._precision, dim)
        self._ids: set[int] = set()
        self._count = 0

    def __enter__(self) -> Self:
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
        """Look up texts that the folder's present index has embedded already.

        An index of another fingerprint, precision or dim has none that could be taken, nor has one
        that is damaged.

        Returns:
            int64 [len(texts)]: the row, for `add(stored=...)`; -1 where there is none.
        """
        return self._previous.find(texts)

    def add(
        self,
        documents: Sequence[Document],
        vectors: ArrayLike,
        *,
        stored: NDArray[np.int64] | None = None,
    ) -> None:
        """Append documents.

        Args:
            documents: each with an id of its own; `text` is what was embedded.
            vectors: float32, of unit length: one for each document, or for each whose `stored` is
                negative.
            stored: int64 [len(documents)], as `find` gives it: the vector of that row of the
                folder's present index is taken over unchanged, as it is stored.

        Raises:
            ValueError: an id was there before, metadata are not JSON, the vectors' shape does not
                fit, or one is not finite or of another length; the message names the position.
                What was added before stays.
        """
        documents = list(documents)
        rows = np.full(len(documents), -1) if stored is None else np.asarray(stored)
        if rows.shape != (len(documents),):
            raise ValueError(f"stored must have {len(documents)} rows, not shape {rows.shape}")
        new = np.flatnonzero(rows < 0)
        checked = check_vectors(vectors, len(new), self._dim)
        made = quantize(checked, self._precision)
        if len(new) == len(rows):
            self.add_stored(documents, made)
            return
        arrays = self._previous.take(np.maximum(rows, 0))
        for kind, array in arrays.items():
            array[new] = made[kind]
        self.add_stored(documents, arrays)

    def add_stored(self, documents: Sequence[Document], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Append documents with vectors as they are stored, by kind of shard; see `add`."""
        lines = [_line(self._count + i, document) for i, document in enumerate(documents)]
        ids = [text_digest(document.id) for document in documents]
        self._check_new(documents, ids)
        if not documents:
            return
        for kind, rows in arrays.items():
            self._tables[kind].append(rows)
        starts = [self._lines.append(line) for line in lines]
        places = zip(starts, map(digest, lines), strict=True)
        texts = b"".join(wide_digest(document.text) for document in documents)
        self._tables["lines"].append(np.array(list(places), np.uint64))
        self._tables["ids"].append(np.array(ids, np.uint64))
        self._tables["texts"].append(np.frombuffer(texts, "<u8").reshape(-1, 2))
        if self._postings:
            for document in documents:
                self._postings.append(document.text)
        self._count += len(documents)

    def _check_new(self, documents: Sequence[Document], ids: Sequence[int]) -> None:
        for i, (document, one) in enumerate(zip(documents, ids, strict=True)):
            if one in self._ids:
                self._ids.difference_update(ids[:i])
                raise ValueError(
                    f"documents[{self._count + i}]: the id {document.id!r} was there before; give "
                    "every document an id of its own"
                )
            self._ids.add(one)

    def _finish(self) -> None:
        if self._fingerprint.get("parity") == "approximate":
            warnings.warn(ParityWarning(), stacklevel=3)
        shards = {kind: table.close() for kind, table in self._tables.items()}
        shards["documents"] = self._lines.close()
        if self._postings:
            shards |= self._postings.close()
        manifest = Manifest(self._fingerprint, self._precision, self._dim, self._count, shards)
        self._files.commit(manifest)


def _line(position: int, document: Document) -> bytes:
    try:
        return to_line(document)
    except (TypeError, ValueError) as err:
        raise ValueError(f"documents[{position}]: its metadata are not JSON ({err})") from err
