"""Rankings over all segments of an index: by vector, by terms, fused, filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from twinvec.encoding.arguments import float_array, whole_number
from twinvec.encoding.pooling import normalize
from twinvec.index.documents import Document
from twinvec.index.format import text_digest
from twinvec.index.segment import read_documents
from twinvec.index.terms import idf, tf_component, tokenize
from twinvec.index.vectors import is_in, top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from twinvec.index.segment import Segment
    from twinvec.index.stores.base import Steps
    from twinvec.index.terms import Postings

    Ranking = tuple[NDArray[np.int64], NDArray[np.float64]]  # positions and scores, best first
    Ranker: TypeAlias = Callable[[int], Steps[Ranking]]

Mode = Literal["semantic", "lexical", "hybrid"]
Filter: TypeAlias = Mapping[str, Any] | Callable[[Document], bool]

FILTER_BATCH_DOCUMENTS = 256
FUSED_HITS = 100  # at least, of each ranking; otherwise twice as many as are asked for
MAX_QUERY_TERMS = 64  # few sentences have more distinct ones
RRF_K = 60  # Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", 2009


@dataclass(frozen=True)
class Hit:
    """A search result: a document and its score.

    ::

        hit = index.search("bear", embedder)[0]
        print(hit.score, hit.text, hit.metadata)

    Attributes:
        position: of the document in the index.
        id: of the document.
        score: cosine similarity in mode `semantic` (with precision `binary`, to the signs of the
            vector, which is at most 0.8); BM25 in mode `lexical`; the sum of 1 / (60 + rank) over
            both rankings in mode `hybrid`.
        text: of the document.
        metadata: of the document.
    """

    position: int
    id: str
    score: float
    text: str
    metadata: dict[str, Any]


def check_embedder(embedder: object) -> None:
    """Check that an argument is an embedder.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(getattr(embedder, "fingerprint", None), Mapping):
        raise TypeError(f"embedder must be an Embedder, not {type(embedder).__name__}")


def check_query(query: object, mode: str, *, lexical: bool) -> None:
    """Check that an index can be searched for a query in a mode.

    Raises:
        TypeError: the query is not a text.
        ValueError: the mode is unknown, or needs terms and the index has none.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"unknown mode {mode!r}; use one of: {', '.join(get_args(Mode))}")
    if not isinstance(query, str):
        raise TypeError(
            f"the query must be a str, not {type(query).__name__}; for a vector use search_vector"
        )
    if mode != "semantic" and not lexical:
        raise ValueError(
            f"mode {mode!r} needs terms, and this index has none; build it with lexical=True"
        )


def unit_vector(vector: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Scale a query vector to unit length; float32 [dim].

    Raises:
        ValueError: it is not a single finite vector of this dim.
    """
    array = float_array(vector, "the query")
    if array.ndim != 1 and array.shape[:-1] != (1,):
        raise ValueError(
            f"the query must be one vector [{dim}], not an array of shape {array.shape}; search "
            "for each vector separately"
        )
    flat = array.ravel()
    if len(flat) != dim:
        raise ValueError(f"the query has {len(flat)} dims and the index {dim}")
    if not np.isfinite(flat).all():
        raise ValueError("the query's vector is not finite in float32")
    return normalize(flat)


def search(
    segments: Sequence[Segment],
    text: str | None,
    vector: NDArray[np.float32] | None,
    *,
    k: int,
    filter: Filter | None,  # noqa: A002 (as in `Index.search`)
) -> Steps[list[Hit]]:
    """Rank documents by a text's terms, by a vector, or by both; see `Index.search`.

    Args:
        segments: of the index.
        text: the query of the modes `lexical` and `hybrid`.
        vector: the query of the modes `semantic` and `hybrid`, float32 [dim], of unit length.
        k: maximum number of hits, at least 1.
        filter: selects the documents that may be found.
    """
    k = whole_number(k, "k")
    accept = None if filter is None else to_predicate(filter)
    rankers: list[Ranker] = []
    if vector is not None:
        rankers.append(partial(rank_by_vector, segments, vector))
    if text is not None:
        rankers.append(partial(rank_by_terms, segments, text))
    if not rankers:
        raise TypeError("the query must be a vector, not None")
    if len(rankers) > 1:
        ranked = (yield from _fused(segments, rankers, max(FUSED_HITS, 2 * k), accept))[:k]
    else:
        positions, scores = yield from _filtered(segments, rankers[0], k, accept)
        ranked = list(zip(positions.tolist(), scores.tolist(), strict=True))
    documents = yield from read_documents(segments, [position for position, _ in ranked])
    return [
        Hit(position, document.id, score, document.text, document.metadata)
        for (position, score), document in zip(ranked, documents, strict=True)
    ]


def rank_by_vector(
    segments: Sequence[Segment], query: NDArray[np.float32], count: int
) -> Steps[Ranking]:
    """Rank by cosine similarity."""
    yield from ()  # vectors are in memory, terms have to be read: one signature for both
    nearest = [segment.matrix.nearest(query, count, segment.removed) for segment in segments]
    positions = [
        rows + segment.offset for segment, (rows, _) in zip(segments, nearest, strict=True)
    ]
    scores = [segment_scores for _, segment_scores in nearest]
    return top(_concatenate(positions, np.int64), _concatenate(scores, np.float64), count)


def rank_by_terms(segments: Sequence[Segment], text: str, count: int) -> Steps[Ranking]:
    """Rank the documents that have any term of a text by BM25."""
    query_terms = yield from _query_terms(segments, text)
    postings: list[list[Postings]] = []  # by segment, then term
    lengths: list[NDArray[np.float64]] = []
    for segment in segments:
        lengths.append((yield from segment.vocabulary.lengths()).astype(np.float64))
        term_postings = yield from segment.vocabulary.postings(query_terms)
        postings.append([_without(posting, segment.removed) for posting in term_postings])
    live_rows = [segment.live_rows() for segment in segments]
    document_count = sum(map(len, live_rows))
    if not document_count:
        return _concatenate([], np.int64), _concatenate([], np.float64)
    # Mean length of the documents that are not removed, over all segments.
    length_sums = [float(all_[live].sum()) for all_, live in zip(lengths, live_rows, strict=True)]
    mean_length = sum(length_sums) / document_count
    scores = [np.zeros(len(segment), np.float64) for segment in segments]
    for term in range(len(query_terms)):
        # A term weighs the more the fewer documents have it, in all segments together.
        weight = idf(document_count, sum(len(posting[term][0]) for posting in postings))
        for segment_scores, posting, segment_lengths in zip(scores, postings, lengths, strict=True):
            rows, term_frequencies = posting[term]
            tf = tf_component(term_frequencies, segment_lengths[rows], mean_length)
            segment_scores[rows] += weight * tf
    matching = [np.flatnonzero(segment_scores) for segment_scores in scores]
    positions = [rows + segment.offset for segment, rows in zip(segments, matching, strict=True)]
    matching_scores = [all_[rows] for all_, rows in zip(scores, matching, strict=True)]
    return top(_concatenate(positions, np.int64), _concatenate(matching_scores, np.float64), count)


def _query_terms(segments: Sequence[Segment], text: str) -> Steps[list[int]]:
    """Return the digests of a query's distinct terms, in its order; the rarest if very many.

    Each term costs a request. If the query is a whole article, its frequent terms change little.
    Ties go to the term that comes first, so that every runtime selects the same.
    """
    digests = [text_digest(term) for term in dict.fromkeys(tokenize(text))]
    if len(digests) <= MAX_QUERY_TERMS:
        return digests
    frequencies = [0] * len(digests)
    for segment in segments:
        counts = yield from segment.vocabulary.document_frequencies(digests)
        frequencies = [total + count for total, count in zip(frequencies, counts, strict=True)]
    present = [number for number, frequency in enumerate(frequencies) if frequency]
    rarest = sorted(present, key=frequencies.__getitem__)[:MAX_QUERY_TERMS]  # a stable sort
    return [digests[number] for number in sorted(rarest)]


def _fused(
    segments: Sequence[Segment],
    rankers: Iterable[Ranker],
    count: int,
    accept: Callable[[Document], bool] | None,
) -> Steps[list[tuple[int, float]]]:
    """Fuse the first `count` positions of each ranking."""
    rankings = []
    for ranker in rankers:
        positions, _ = yield from _filtered(segments, ranker, count, accept)
        rankings.append(positions.tolist())
    return reciprocal_rank_fusion(rankings)


def reciprocal_rank_fusion(rankings: Iterable[Iterable[int]]) -> list[tuple[int, float]]:
    """Sum 1 / (60 + rank) over rankings of positions; best first, ties by position."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, position in enumerate(ranking, 1):
            scores[position] = scores.get(position, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def _filtered(
    segments: Sequence[Segment],
    ranker: Ranker,
    count: int,
    accept: Callable[[Document], bool] | None,
) -> Steps[Ranking]:
    """Return the first `count` of a ranking that a filter accepts.

    The ranking is computed four times as long, until enough are accepted or it ends. The filter
    sees each document once.
    """
    if accept is None:
        return (yield from ranker(count))
    verdicts: dict[int, bool] = {}
    length = max(64, 4 * count)
    while True:
        positions, scores = yield from ranker(length)
        ranked = positions.tolist()
        accepted: list[int] = []
        for start in range(0, len(ranked), FILTER_BATCH_DOCUMENTS):
            batch = ranked[start : start + FILTER_BATCH_DOCUMENTS]
            new = [position for position in batch if position not in verdicts]
            documents = yield from read_documents(segments, new)
            verdicts |= zip(new, map(accept, documents), strict=True)
            accepted += [start + i for i, position in enumerate(batch) if verdicts[position]]
            if len(accepted) >= count:
                break
        if len(accepted) >= count or len(ranked) < length:
            return positions[accepted[:count]], scores[accepted[:count]]
        length *= 4


def to_predicate(filter: Filter) -> Callable[[Document], bool]:  # noqa: A002 (as above)
    """Turn a filter into a function of a document.

    Raises:
        TypeError: it is neither a mapping with strings as keys nor a function.
    """
    if callable(filter):
        return filter
    if not isinstance(filter, Mapping):
        kind = type(filter).__name__
        raise TypeError(f"filter must be a mapping or a function of a Document, not {kind}")
    for key in filter:
        if not isinstance(key, str):
            raise TypeError(f"the keys of filter must be strings, not {key!r}")
    allowed = {key: _as_list(value) for key, value in filter.items()}

    def accept(document: Document) -> bool:
        metadata = document.metadata
        return all(
            key in metadata and any(value in values for value in _as_list(metadata[key]))
            for key, values in allowed.items()
        )

    return accept


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _without(posting: Postings, removed: NDArray[np.int64]) -> Postings:
    rows, term_frequencies = posting
    live = ~is_in(rows, removed)
    return rows[live], term_frequencies[live]


def _concatenate(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts], dtype=dtype)
