"""Rankings over all segments of an index: by vector, by terms, filtered, fused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np

from twinvec.encoding.pooling import normalize
from twinvec.index.documents import Document
from twinvec.index.segment import documents_of
from twinvec.index.terms import fuse, idf, term_digest, terms, weights
from twinvec.index.vectors import among, best

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from twinvec.index.segment import Segment
    from twinvec.index.stores.base import Steps
    from twinvec.index.terms import Postings

    Ranking = tuple[NDArray[np.int64], NDArray[np.float64]]

__all__ = ["Filter", "Hit", "Mode", "accepts", "check_mode", "search", "unit"]

Mode = Literal["semantic", "lexical", "hybrid"]
Filter: TypeAlias = Mapping[str, Any] | Callable[[Document], bool]

_AT_ONCE = 256  # documents that a filter looks at
_FUSED = 100  # of each ranking, at least; twice as many as are asked for
_MOST_TERMS = 64  # of a query; few sentences have so many that differ


@dataclass(frozen=True)
class Hit:
    """One result.

    `position` is its place in the index; `score` a cosine similarity (of precision `binary` with
    the vector's signs alone, 0.8 at most), of mode `lexical` BM25, of `hybrid` the sum of
    1 / (60 + rank) over both rankings.
    """

    position: int
    id: str
    score: float
    text: str
    metadata: dict[str, Any]


def check_mode(mode: str, query: object, *, lexical: bool) -> None:
    """Check that an index can be searched so.

    Raises:
        ValueError: the mode is unknown, or the index has no terms.
        TypeError: the mode needs a text.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"unknown mode {mode!r}; use one of: {', '.join(get_args(Mode))}")
    if mode == "semantic":
        return
    if not isinstance(query, str):
        raise TypeError(f"mode {mode!r} needs the query as a text")
    if not lexical:
        raise ValueError(
            f"mode {mode!r} needs terms, which this index was built without: lexical=True"
        )


def unit(query: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Scale a query to unit length; float32 [dim].

    Raises:
        ValueError: it is not one finite vector of so many dims.
    """
    vector = np.asarray(query, np.float32)
    if vector.ndim != 1 and vector.shape[:-1] != (1,):
        raise ValueError(
            f"the query must be one vector, not of shape {vector.shape}; search for several "
            "one after the other"
        )
    flat = vector.ravel()
    if len(flat) != dim:
        raise ValueError(f"the query has {len(flat)} dims and the index {dim}")
    if not np.isfinite(flat).all():
        raise ValueError("the query's vector is not finite, so that it ranks nothing")
    return normalize(flat)


def search(
    segments: Sequence[Segment],
    text: str,
    vector: NDArray[np.float32] | None,
    *,
    k: int,
    accept: Callable[[Document], bool] | None,
    mode: Mode,
) -> Steps[list[Hit]]:
    """Rank and read what was found; see `Index.search`.

    Args:
        segments: of the index.
        text: the query, for the modes `lexical` and `hybrid`.
        vector: the query, float32 [dim], for the modes `semantic` and `hybrid`.
        k: hits at most.
        accept: the filter.
        mode: one of `Mode`.
    """

    def nearest(count: int) -> Steps[Ranking]:
        yield from ()
        return by_vector(segments, cast("NDArray[np.float32]", vector), count)

    def matching(count: int) -> Steps[Ranking]:
        return (yield from by_terms(segments, text, count))

    if mode == "hybrid":
        rankings = []
        for rank in (nearest, matching):
            positions, _ = yield from filtered(segments, rank, max(_FUSED, 2 * k), accept)
            rankings.append(positions.tolist())
        found = fuse(rankings)[:k]
    else:
        rank = nearest if mode == "semantic" else matching
        positions, scores = yield from filtered(segments, rank, k, accept)
        found = list(zip(positions.tolist(), scores.tolist(), strict=True))
    documents = yield from documents_of(segments, [position for position, _ in found])
    return [
        Hit(position, one.id, score, one.text, one.metadata)
        for (position, score), one in zip(found, documents, strict=True)
    ]


def by_vector(segments: Sequence[Segment], query: NDArray[np.float32], count: int) -> Ranking:
    """Rank by cosine: positions, best first, and scores."""
    found = [one.matrix.nearest(query, count, one.removed) for one in segments]
    positions = [rows + one.offset for one, (rows, _) in zip(segments, found, strict=True)]
    return best(_joined(positions, np.int64), _joined([s for _, s in found], np.float64), count)


def by_terms(segments: Sequence[Segment], text: str, count: int) -> Steps[Ranking]:
    """Rank by BM25: positions of what has any term of the query, best first, and scores."""
    wanted = yield from _telling(segments, text)
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


def _telling(segments: Sequence[Segment], text: str) -> Steps[list[int]]:
    """Give the digests of a query's terms, in its order; of very many, the rarest.

    Each costs a request, and of a whole article that is a query, the frequent ones change little.
    Ties are for what comes first, so that every runtime chooses alike.
    """
    wanted = [term_digest(term) for term in dict.fromkeys(terms(text))]
    if len(wanted) <= _MOST_TERMS:
        return wanted
    having = [0] * len(wanted)
    for one in segments:
        counts = yield from one.lexical.counts(wanted)
        having = list(map(sum, zip(having, counts, strict=True)))
    known = [place for place, count in enumerate(having) if count]
    rarest = sorted(known, key=having.__getitem__)[:_MOST_TERMS]  # a stable sort
    return [wanted[place] for place in sorted(rarest)]


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
