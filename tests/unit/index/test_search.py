"""Rankings over an index: by vector, filtered, fused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from indexes import FINGERPRINT, small_index, unit_vectors
from twinvec import Hit, Index
from twinvec.index.search import reciprocal_rank_fusion

VECTORS = unit_vectors(6000, 64, seed=0)


def numbered(count: int, precision: Any) -> Index:
    """Make an index of numbered texts, with their last digit among the tags."""
    index = Index(FINGERPRINT, dim=64, precision=precision)
    metadata = [{"even": n % 2 == 0, "tags": [str(n % 10), "all"]} for n in range(count)]
    index.add_vectors([f"text {n}" for n in range(count)], VECTORS[:count], metadata=metadata)
    return index


def positions(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


def test_a_vector_ranks() -> None:
    index = Index(FINGERPRINT, dim=3)
    index.add_vectors(["one", "two", "three"], np.eye(3, dtype=np.float32))
    hits = index.search_vector(np.array([0, 2, 1], dtype=np.float32), k=2)
    assert [(hit.position, hit.id, hit.text) for hit in hits] == [
        (1, "1", "two"),
        (2, "2", "three"),
    ]
    assert hits[0].score == pytest.approx(2 / 5**0.5)
    assert hits[0].metadata == {}
    assert positions(index.search_vector(np.ones(3, np.float32), k=100)) == [0, 1, 2]
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        index.search_vector(np.ones(3, np.float32), k=0)
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        index.search("one", mode="lexical", k=0)


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
@pytest.mark.parametrize("mode", ["semantic", "lexical", "hybrid"])
def test_an_empty_index_finds_nothing(precision: Any, mode: Any) -> None:
    embedder: Any = SimpleNamespace(
        fingerprint=FINGERPRINT, encode_query=lambda _: np.ones((1, 3), np.float32)
    )
    index = Index(FINGERPRINT, dim=3, precision=precision)
    assert (len(index), index.search("a", embedder, mode=mode), index.documents()) == (0, [], [])
    index.add_vectors([], np.empty((0, 3), np.float32))
    assert (len(index), index.search("a", embedder, mode=mode)) == (0, [])


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_a_filter_is_exact(precision: Any) -> None:
    index, vector = numbered(6000, precision), VECTORS[7]
    hits = index.search_vector(vector, k=10, filter={"even": True, "tags": ["4", "6"]})
    assert len(hits) == 10
    assert {hit.position % 10 for hit in hits} <= {4, 6}
    scores = {hit.position: hit.score for hit in index.search_vector(vector, k=6000)}
    best = sorted((-scores[at], at) for at in range(6000) if at % 10 in (4, 6))[:10]
    if precision != "binary":  # its candidates are few for so many dimensions
        assert len({at for _, at in best} & set(positions(hits))) >= 8
    hits = index.search_vector(vector, filter=lambda document: document.id == "4321")
    assert positions(hits) == [4321]
    assert index.search_vector(vector, filter={"even": "no such"}) == []
    assert index.search_vector(vector, filter={"no such": None}) == []
    wrong: Any = 5
    with pytest.raises(TypeError, match="filter must be a mapping or a function"):
        index.search_vector(vector, filter=wrong)


def test_hybrid_finds_what_either_mode_finds() -> None:
    index = numbered(300, "float32")
    embedder: Any = SimpleNamespace(fingerprint=FINGERPRINT, encode_query=lambda _: VECTORS[7:8])
    assert positions(index.search("42", embedder, mode="hybrid", k=2)) == [7, 42]  # a tie
    both = index.search("text 7", embedder, mode="hybrid", k=1)[0]
    assert (both.position, round(both.score, 9)) == (7, round(2 / 61, 9))
    hits = index.search("text", embedder, mode="hybrid", filter={"tags": "7"})
    assert {position % 10 for position in positions(hits)} == {7}


def test_ranks_are_fused() -> None:
    fused = reciprocal_rank_fusion([[5, 3], [3, 9]])
    assert fused == [(3, 1 / 61 + 1 / 62), (5, 1 / 61), (9, 1 / 62)]
    assert reciprocal_rank_fusion([[8, 2], [2, 8]]) == [(2, 1 / 61 + 1 / 62), (8, 1 / 61 + 1 / 62)]


def test_a_mode_is_known_and_has_its_terms() -> None:
    with pytest.raises(ValueError, match="this index has none; build it with lexical=True"):
        small_index(lexical=False).search("one", mode="lexical")
    wrong: Any = "words"
    with pytest.raises(ValueError, match="unknown mode 'words'"):
        small_index().search("one", mode=wrong)
