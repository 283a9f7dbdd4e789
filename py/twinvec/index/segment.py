"""A segment: the part of an index that was written or added at one time.

An index has at most two: the one that was loaded, and the one of documents added since. Each has
its own vectors, documents and terms. Rows count within a segment, positions through all of them.

A segment does not change: adding and removing make another one. So a search uses the documents
that the index has when it begins, whatever other threads do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.documents import MemoryDocuments, StoredDocuments
from twinvec.index.format import DAMAGED, MANIFEST, vector_kinds
from twinvec.index.npy import from_npy
from twinvec.index.stores.base import Part, read_all
from twinvec.index.terms import MemoryVocabulary, StoredVocabulary
from twinvec.index.vectors import Matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from twinvec.index.documents import Document, Documents
    from twinvec.index.manifest import Manifest
    from twinvec.index.stores.base import Steps
    from twinvec.index.terms import Vocabulary


@dataclass(frozen=True)
class Segment:
    """Rows of an index; the first is at position `offset`. `removed` rows ascend, int64 [n]."""

    offset: int
    matrix: Matrix
    documents: Documents
    vocabulary: Vocabulary
    removed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def empty(cls, offset: int, matrix: Matrix) -> Segment:
        """Make a segment in memory, to be added to."""
        return cls(offset, matrix, MemoryDocuments(), MemoryVocabulary())

    def appended(
        self, documents: Sequence[Document], arrays: Mapping[str, NDArray[Any]]
    ) -> Segment:
        """Make a segment with more rows; this one must be of added documents."""
        if not isinstance(self.documents, MemoryDocuments) or not isinstance(
            self.vocabulary, MemoryVocabulary
        ):
            raise TypeError("a stored segment cannot grow")
        return replace(
            self,
            matrix=self.matrix.appended(arrays),
            documents=self.documents.appended(documents),
            vocabulary=self.vocabulary.appended([document.text for document in documents]),
        )

    @classmethod
    def load(cls, manifest: Manifest) -> Steps[Segment]:
        """Read the vectors, a shard at a time, and where each document's line begins."""
        matrix = _allocate(manifest)
        for kind in vector_kinds(manifest.precision):
            start = 0
            for shard in manifest.shards[kind]:
                (content,) = yield [Part(shard)]
                matrix.fill(kind, start, from_npy(shard, content, kind, manifest.dim))
                start += shard.rows
        lines = yield from read_all(manifest, "lines")
        documents = StoredDocuments(manifest.shards["documents"], lines)
        return cls(0, matrix, documents, StoredVocabulary(manifest))

    def without(self, positions: Sequence[int]) -> Segment:
        """Make a segment in which the rows at some positions of the index are removed."""
        rows = np.array(positions, np.int64) - self.offset
        inside = rows[(rows >= 0) & (rows < len(self))]
        removed = {*self.removed.tolist(), *inside.tolist()}
        return replace(self, removed=np.array(sorted(removed), np.int64))

    def __len__(self) -> int:
        """Count the rows, removed ones included."""
        return len(self.matrix)

    def live_rows(self) -> NDArray[np.int64]:
        """Return the rows that are not removed."""
        return np.delete(np.arange(len(self), dtype=np.int64), self.removed)


def _allocate(manifest: Manifest) -> Matrix:
    try:
        return Matrix(manifest.precision, manifest.dim, manifest.count)
    except (MemoryError, ValueError) as err:
        raise IndexFormatError(
            f"{manifest.count:,} vectors of {manifest.dim} dims, as {MANIFEST} lists them, do not "
            f"fit into memory. {DAMAGED}"
        ) from err


def read_documents(segments: Sequence[Segment], positions: Sequence[int]) -> Steps[list[Document]]:
    """Read the documents at some positions, in their order."""
    documents: dict[int, Document] = {}
    for segment in segments:
        start, stop = segment.offset, segment.offset + len(segment)
        inside = [position for position in positions if start <= position < stop]
        read = yield from segment.documents.read([position - start for position in inside])
        documents |= zip(inside, read, strict=True)
    return [documents[position] for position in positions]
