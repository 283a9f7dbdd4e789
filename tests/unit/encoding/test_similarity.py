from __future__ import annotations

import numpy as np
import pytest

from twinvec import cos_sim, dot, semantic_search


def test_shapes_and_values() -> None:
    scores = cos_sim([[1, 0], [1, 1]], [[2, 0], [0, 3], [0, 0]])
    assert scores.dtype == np.float32
    assert np.allclose(scores, np.array([[1, 0, 0], [0.70710678, 0.70710678, 0]]))
    assert dot([1, 2], [3, 4]).tolist() == [[11]]


def test_dims_must_agree() -> None:
    with pytest.raises(ValueError, match="3 and 2 dims are not comparable"):
        cos_sim([1, 2, 3], [1, 2])


def test_equal_vectors_score_equally_wherever_they_stand() -> None:
    """BLAS does not: it rounds rows by their place in a block."""
    random = np.random.default_rng(0)
    row = random.standard_normal(384, dtype=np.float32)
    scores = cos_sim(random.standard_normal(384), np.tile(row, (101, 1)))
    assert len(np.unique(scores)) == 1


def test_ties_keep_the_corpus_order() -> None:
    (matches,) = semantic_search([1, 0], [[0, 1], [1, 0], [0, 2], [5, 0]])
    assert [match.position for match in matches] == [1, 3, 0, 2]
    assert matches[0].score == 1


def test_top_k() -> None:
    corpus = np.eye(4, dtype=np.float32)
    assert [len(matches) for matches in semantic_search(corpus[:2], corpus, top_k=3)] == [3, 3]
    assert len(semantic_search(corpus[0], corpus, top_k=9)[0]) == 4
    assert semantic_search(corpus[0], np.empty((0, 4))) == [[]]
    with pytest.raises(ValueError, match="top_k must be at least 1, not 0"):
        semantic_search(corpus, corpus, top_k=0)
