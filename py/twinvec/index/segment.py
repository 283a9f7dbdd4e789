"""The parts of an index, and the rankings over all of them.

An index has at most two segments: what was loaded, and what was added since. Each has its own
vectors, documents and terms; a position counts through them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from twinvec.index.documents import Document, MemoryDocuments, StoredDocuments
from twinvec.index.format import Manifest, from_npy, vector_kinds
from twinvec.index.lexical import (
    MemoryLexical,
    StoredLexical,
    idf,
    term_digest,
    terms,
    weights,
)
from twinvec.index.ranking import Matrix, among, best
from twinvec.index.store import Part, read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twinvec.index.documents import Documents
    from twinvec.index.lexical import Lexical, Postings
    from twinvec.index.store import Steps

    Ranking = tuple[NDArray[np.int64], NDArray[np.float64]]

__all__ = ["Filter", "Segment", "accepts", "by_terms", "by_vector", "documents_of", "filtered"]

Filter: TypeAlias = Mapping[str, Any] | Callable[[Document], bool]

_AT_ONCE = 256  # documents that a filter looks at


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


def by_vector(segments: Sequence[Segment], query: NDArray[np.float32], count: int) -> Ranking:
    """Rank by cosine: positions, best first, and scores."""
    found = [one.matrix.nearest(query, count, one.removed) for one in segments]
    positions = [rows + one.offset for one, (rows, _) in zip(segments, found, strict=True)]
    return best(_joined(positions, np.int64), _joined([s for _, s in found], np.float64), count)


def by_terms(segments: Sequence[Segment], text: str, count: int) -> Steps[Ranking]:
    """Rank by BM25: positions of what has any term of the query, best first, and scores."""
    wanted = [term_digest(term) for term in dict.fromkeys(terms(text))]
    postings: list[list[Postings]] = []
    lengths: list[NDArray[np.float64]] = []
    for one in segments:
        lengths.append((yield from one.lexical.lengths()).astype(np.float64))
        found = yield from one.lexical.postings(wanted)
        postings.append([_without(posting, one.removed) for posting in found])
    kept = [one.kept() for one in segments]
    rows = sum(map(len, kept))
    if not rows:
        return _joined([], np.int64), _joined([], np.float64)
    total = sum(float(some[left].sum()) for some, left in zip(lengths, kept, strict=True))
    scores = [np.zeros(len(one), np.float64) for one in segments]
    for term in range(len(wanted)):
        weight = idf(rows, sum(len(some[term][0]) for some in postings))
        for number, some in enumerate(postings):
            having, counts = some[term]
            weighed = weights(counts, lengths[number][having], total / rows)
            scores[number][having] += weight * weighed
    matching = [np.flatnonzero(some) for some in scores]
    positions = [some + one.offset for some, one in zip(matching, segments, strict=True)]
    found_scores = [some[have] for some, have in zip(scores, matching, strict=True)]
    return best(_joined(positions, np.int64), _joined(found_scores, np.float64), count)


def documents_of(segments: Sequence[Segment], positions: Sequence[int]) -> Steps[list[Document]]:
    """Give the documents at some positions, in their order."""
    found: dict[int, Document] = {}
    for one in segments:
        mine = [at for at in positions if one.offset <= at < one.offset + len(one)]
        documents = yield from one.documents.get([at - one.offset for at in mine])
        found |= zip(mine, documents, strict=True)
    return [found[at] for at in positions]


def filtered(
    segments: Sequence[Segment],
    rank: Callable[[int], Steps[Ranking]],
    count: int,
    accept: Callable[[Document], bool] | None,
) -> Steps[Ranking]:
    """Take the first of a ranking that a filter accepts.

    The ranking is asked for more, four times as many, until enough are found or it has no more;
    what a document's filter said is not asked again.
    """
    if accept is None:
        return (yield from rank(count))
    verdicts: dict[int, bool] = {}
    asked = max(64, 4 * count)
    while True:
        positions, scores = yield from rank(asked)
        listed = positions.tolist()
        kept: list[int] = []
        for start in range(0, len(listed), _AT_ONCE):
            some = listed[start : start + _AT_ONCE]
            new = [at for at in some if at not in verdicts]
            documents = yield from documents_of(segments, new)
            verdicts |= {at: accept(one) for at, one in zip(new, documents, strict=True)}
            kept += [start + i for i, at in enumerate(some) if verdicts[at]]
            if len(kept) >= count:
                break
        if len(kept) >= count or len(listed) < asked:
            return positions[kept[:count]], scores[kept[:count]]
        asked *= 4


def accepts(chosen: Filter) -> Callable[[Document], bool]:
    """Turn a filter into a function.

    Raises:
        TypeError: it is neither a mapping nor can it be called.
    """
    if callable(chosen):
        return chosen
    if not isinstance(chosen, Mapping):
        kind = type(chosen).__name__
        raise TypeError(f"filter must be a mapping or a function of a Document, not {kind}")
    wanted = {key: _values(value) for key, value in chosen.items()}

    def accept(document: Document) -> bool:
        return all(
            key in document.metadata and any(one in few for one in _values(document.metadata[key]))
            for key, few in wanted.items()
        )

    return accept


def _values(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _without(posting: Postings, removed: NDArray[np.int64]) -> Postings:
    rows, counts = posting
    left = ~among(rows, removed)
    return rows[left], counts[left]


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts], dtype=dtype)
