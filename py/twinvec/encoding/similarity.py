"""Compare vectors, and rank a corpus by similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from twinvec.encoding.arguments import float_array, whole_number
from twinvec.encoding.pooling import normalize

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    ScoreFunction: TypeAlias = Callable[[ArrayLike, ArrayLike], NDArray[np.float32]]


@dataclass(frozen=True)
class Match:
    """A ranked vector of the corpus: its position in the corpus, and its score."""

    position: int
    score: float


def dot(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Compute the dot product of every row of `a` with every row of `b`.

    Args:
        a: float [n, dim], or one vector [dim].
        b: float [m, dim], or one vector [dim].

    Returns:
        float32 [n, m]; a single vector counts as one row.

    Raises:
        ValueError: the dims differ, or a product is not finite.
        TypeError, ValueError: `a` or `b` are not vectors of numbers.
    """
    left, right = _rows(a, "a"), _rows(b, "b")
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"vectors of {left.shape[1]} and {right.shape[1]} dims are not comparable")
    # Not `@`: BLAS rounds a row by its position in the matrix, which would give equal texts
    # unequal scores. In Pyodide einsum is also faster.
    with np.errstate(over="ignore", invalid="ignore"):
        products = cast("NDArray[np.float32]", np.einsum("nd,md->nm", left, right))
    finite = np.isfinite(products)
    if not finite.all():
        row, column = divmod(int(np.argmin(finite)), finite.shape[1])
        raise ValueError(f"a[{row}] and b[{column}] have no finite dot product")
    return products


def cos_sim(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Compute the cosine similarity of every row of `a` with every row of `b`, as `dot` does."""
    with np.errstate(invalid="ignore"):  # infinite numbers, which `dot` refuses
        return dot(normalize(_rows(a, "a")), normalize(_rows(b, "b")))


def semantic_search(
    query: ArrayLike, corpus: ArrayLike, top_k: int = 10, score_function: ScoreFunction = cos_sim
) -> list[list[Match]]:
    """Rank the corpus for every query.

    Equal scores keep the order of the corpus, so rankings are the same on every runtime.

    ::

        corpus = embedder.encode_document(["The giant panda.", "A lion sleeps."])
        [matches] = semantic_search(embedder.encode_query("bear"), corpus, top_k=1)

    Args:
        query: float [n, dim], or one vector [dim].
        corpus: float [m, dim].
        top_k: the most matches for each query.
        score_function: `cos_sim`, or `dot` for vectors of unit length.

    Returns:
        The matches of each query, best first.

    Raises:
        ValueError: the dims differ, a score is not finite, or `top_k` is below 1.
        TypeError: `top_k` is not a whole number.
    """
    top_k = whole_number(top_k, "top_k")
    scores = score_function(query, corpus)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    return [
        [Match(int(position), float(row[position])) for position in positions]
        for row, positions in zip(scores, order, strict=True)
    ]


def _rows(vectors: ArrayLike, name: str) -> NDArray[np.float32]:
    rows = np.atleast_2d(float_array(vectors, name))
    if rows.ndim != 2:
        raise ValueError(f"{name} must be vectors [n, dim], not of shape {rows.shape}")
    return rows
