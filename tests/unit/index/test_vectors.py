"""The nearest vectors, exactly or nearly, in one order."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from indexes import FINGERPRINT, PRECISIONS, unit_vectors
from twinvec import Hit, Index, dot, normalize
from twinvec.index.vectors import Matrix, is_in, quantize, top


def filled(count: int, precision: Any, dim: int = 64) -> tuple[Index, Any]:
    index = Index(FINGERPRINT, dim=dim, precision=precision)
    vectors = unit_vectors(count, dim, seed=0)
    index.add_vectors([f"text {n}" for n in range(count)], vectors)
    return index, vectors


def positions(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


@pytest.mark.parametrize("count", [100, 6000])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_equal_vectors_get_equal_scores_in_their_order(count: int, precision: Any) -> None:
    index, vectors = filled(count, precision)
    index.add_vectors(["again"] * 5, np.repeat(vectors[7:8], 5, axis=0))
    hits = index.search_vector(vectors[7], k=6)
    assert positions(hits) == [7, *range(count, count + 5)]
    assert len({hit.score for hit in hits}) == 1


def test_more_ties_than_candidates_stay_in_order() -> None:
    for precision in PRECISIONS:
        index = Index(FINGERPRINT, dim=8, precision=cast("Any", precision))
        index.add_vectors(map(str, range(9000)), normalize(np.ones((9000, 8), np.float32)))
        assert positions(index.search_vector(np.ones(8, np.float32), k=12)) == list(range(12))


def test_int8_is_near_to_exact() -> None:
    quantized, vectors = filled(6000, "int8", 384)
    exact, _ = filled(6000, "float32", 384)
    for query in normalize(vectors[:50] + unit_vectors(50, 384)):
        near, best = quantized.search_vector(query), exact.search_vector(query)
        expected = np.argsort(-dot(query, vectors)[0], kind="stable")[:10]
        assert positions(best) == expected.tolist()
        assert near[0].position == best[0].position
        assert abs(near[0].score - best[0].score) < 0.01


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dim", [5, 64, 100])
def test_any_number_of_dimensions(precision: Any, dim: int) -> None:
    index, vectors = filled(5000, precision, dim)
    if precision == "binary":
        signs = np.where(vectors[3] > 0, 1, -1) / dim**0.5
        assert index.search_vector(signs, k=1)[0].score == pytest.approx(1)
    else:
        hit = index.search_vector(vectors[3], k=1)[0]
        assert hit.position == 3
        assert hit.score == pytest.approx(1, abs=0.02)


def test_a_zero_vector_is_stored() -> None:
    index = Index(FINGERPRINT, dim=3, precision="int8")
    index.add_vectors(["zero", "one"], np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    best, last = index.search_vector(np.eye(3, dtype=np.float32)[0])
    assert (best.text, last.text, last.score) == ("one", "zero", 0)
    assert best.score == pytest.approx(1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_are_taken_as_they_were_stored(precision: Any) -> None:
    arrays = quantize(unit_vectors(9, 100), precision)
    first = Matrix(precision, 100).appended({kind: array[:4] for kind, array in arrays.items()})
    matrix = first.appended({kind: array[4:] for kind, array in arrays.items()})
    assert (len(first), len(matrix)) == (4, 9)
    rows = np.array([8, 0, 4])
    for kind, array in matrix.take(rows).items():
        assert (array == arrays[kind][rows]).all()


def test_rows_are_sorted_by_score_then_row() -> None:
    rows, scores = np.array([4, 2, 9, 7]), np.array([0.5, 0.5, 0.9, 0.1])
    best, best_scores = top(rows, scores, 2)
    assert (best.tolist(), best_scores.tolist()) == ([9, 2], [0.9, 0.5])
    assert top(rows, scores, 10)[0].tolist() == [9, 2, 4, 7]


def test_rows_among_others_are_marked() -> None:
    rows = np.array([5, 1, 3, 9])
    assert is_in(rows, np.array([1, 2, 9])).tolist() == [False, True, False, True]
    assert is_in(rows, rows[:0]).tolist() == [False] * 4
