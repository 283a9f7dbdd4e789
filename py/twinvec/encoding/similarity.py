"""Compare vectors, and rank a corpus by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from twinvec.encoding.pooling import normalize

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    ScoreFunction: TypeAlias = Callable[[ArrayLike, ArrayLike], NDArray[np.float32]]

__all__ = ["Match", "cos_sim", "dot", "semantic_search"]


@dataclass(frozen=True)
class Match:
    """One ranked corpus entry: its position in the corpus and its score."""

    position: int
    score: float


def dot(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Dot product of every row of `a` with every row of `b`.

    Args:
        a: float [n, dim], or one vector [dim].
        b: float [m, dim], or one vector [dim].

    Returns:
        float32 [n, m]; a single vector counts as one row.

    Raises:
        ValueError: the dims differ.
    """
    left, right = _rows(a), _rows(b)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} dims are not comparable")
    # Not `@`: BLAS rounds a row by where it stands in the matrix, so that equal texts would get
    # unequal scores. In Pyodide this is also the faster of the two.
    return cast("NDArray[np.float32]", np.einsum("nd,md->nm", left, right))


def cos_sim(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Cosine similarity of every row of `a` with every row of `b`; shapes as in `dot`."""
    return dot(normalize(_rows(a)), normalize(_rows(b)))


def semantic_search(
    query: ArrayLike, corpus: ArrayLike, top_k: int = 10, score_function: ScoreFunction = cos_sim
) -> list[list[Match]]:
    """Rank the corpus for every query.

    Equal scores keep the corpus's order, so that a ranking is the same on every runtime.

    Args:
        query: float [n, dim], or one vector [dim].
        corpus: float [m, dim].
        top_k: how many matches a query gets at most; more than m gives m.
        score_function: `cos_sim`, or `dot` for vectors that have unit length already.

    Returns:
        For each query its matches, best first.

    Raises:
        ValueError: the dims differ, or `top_k` is below 1.
    """
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    scores = score_function(query, corpus)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return [
        [Match(int(position), float(row[position])) for position in positions]
        for row, positions in zip(scores, best, strict=True)
    ]


def _rows(vectors: ArrayLike) -> NDArray[np.float32]:
    return np.atleast_2d(np.asarray(vectors, dtype=np.float32))
