"""The parts of an index.

An index has at most two segments: what was loaded, and what was added since. Each has its own
vectors, documents and terms; a position counts through them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.documents import MemoryDocuments, StoredDocuments
from twinvec.index.format import Manifest, from_npy, vector_kinds
from twinvec.index.stores.base import Part, read_all
from twinvec.index.terms import MemoryLexical, StoredLexical
from twinvec.index.vectors import Matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twinvec.index.documents import Document, Documents
    from twinvec.index.stores.base import Steps
    from twinvec.index.terms import Lexical

__all__ = ["Segment", "documents_of"]


@dataclass
class Segment:
    """Some rows of an index, the first of which stands at position `offset`."""

    offset: int
    matrix: Matrix
    documents: Documents
    lexical: Lexical
    removed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def empty(cls, offset: int, matrix: Matrix) -> Segment:
        """Make one in memory, to be added to."""
        return cls(offset, matrix, MemoryDocuments(), MemoryLexical())

    @classmethod
    def load(cls, manifest: Manifest) -> Steps[Segment]:
        """Read the vectors, a shard at a time, and where each document is."""
        matrix = Matrix(manifest.precision, manifest.dim, manifest.count)
        for kind in vector_kinds(manifest.precision):
            start = 0
            for shard in manifest.shards[kind]:
                (content,) = yield [Part(shard)]
                matrix.fill(kind, start, from_npy(shard, content, kind, manifest.dim))
                start += shard.rows
        lines = yield from read_all(manifest, "lines")
        documents = StoredDocuments(manifest.shards["documents"], lines)
        return cls(0, matrix, documents, StoredLexical(manifest))

    def __len__(self) -> int:
        """Count the rows, removed ones included."""
        return len(self.matrix)

    def kept(self) -> NDArray[np.int64]:
        """Give the rows that were not removed."""
        return np.delete(np.arange(len(self), dtype=np.int64), self.removed)


def documents_of(segments: Sequence[Segment], positions: Sequence[int]) -> Steps[list[Document]]:
    """Give the documents at some positions, in their order."""
    found: dict[int, Document] = {}
    for one in segments:
        mine = [at for at in positions if one.offset <= at < one.offset + len(one)]
        documents = yield from one.documents.get([at - one.offset for at in mine])
        found |= zip(mine, documents, strict=True)
    return [found[at] for at in positions]
