"""Vectors of one precision, and which of them are nearest to a query.

Two steps: a scan chooses candidates, then these are scored in float64. The scan only has to find
them; the score, and so the order, comes from the stored numbers alone, so that both runtimes rank
alike: float32 sums of 384 products differ between them by 1e-7, float64 ones by 1e-16. Equal
vectors get equal scores, which stand in the order of their rows.

- float32: the scan is exact, in float32, and takes along what is within its rounding error of the
  last place.
- int8: up to `_SCANNED` rows all are candidates. Of more, the signs of the codes are compared with
  those of the query, 64 dimensions at a time (`np.bitwise_count`), and the rows of the lowest
  Hamming distance become candidates.
- binary: likewise, but the signs are all there is: a candidate's score is the cosine between the
  query and its vector of +1 and -1.
  Of the ten nearest of 60,000 real paragraphs that finds 72 %, which is what one bit a dimension
  holds: with the mean taken off beforehand it is 59 %, and 72 % with a factor for each vector;
  rotated at random 69 %; two bits find 82 %, four bits 94 %.

The signs lie column by column, [dim / 64, rows], so that every operation runs over a row of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twinvec.index.format import columns, vector_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from twinvec.index.format import Precision

    Rows = NDArray[np.int64]
    Scores = NDArray[np.float64]

__all__ = ["Matrix", "among", "best", "encode"]

_SCANNED = 4096
_CANDIDATES = (800, 40)  # at least so many, and so many for each hit asked for
"""Of the ten nearest of 60,000 real paragraphs (all-MiniLM-L6-v2), int8 finds 98.0 % among 200
candidates, 98.8 % among 400, 99.1 % among 800, 99.3 % among all; of a million, most of them made by
adding noise of half a vector's length, 95.5, 97.8, 98.5 and (3,200) 98.7 %. 800 cost 0.3 ms more
than 200."""
_MARGIN = 1e-5  # of a float32 scan's scores; the largest error at 1,024 dims is below 1e-6
_BLOCK = 1 << 15  # rows at a time, so that what is computed of them stays in the cache
_EXACT_BLOCK = 4096


def encode(vectors: NDArray[np.float32], precision: Precision) -> dict[str, NDArray[Any]]:
    """Turn vectors into what is stored of them, by kind of shard.

    Args:
        vectors: float32 [n, dim], finite.
        precision: of `int8`, each vector has a scale of its own, its largest value / 127, so that
            a vector's codes depend on no other one.
    """
    if precision == "float32":
        return {"vectors": vectors}
    if precision == "binary":
        return {"bits": np.packbits(vectors > 0, axis=1)}
    largest = np.max(np.abs(vectors), axis=1, initial=0)
    scales = (largest / np.float32(127)).astype(np.float32)
    steps = np.where(scales > 0, scales, np.float32(1))
    return {"codes": np.rint(vectors / steps[:, np.newaxis]).astype(np.int8), "scales": scales}


class Matrix:
    """The vectors of some rows.

    Args:
        precision: see above.
        dim: of a vector.
        count: rows there will be, each to be filled by `fill`.
    """

    def __init__(self, precision: Precision, dim: int, count: int = 0) -> None:
        self.precision = precision
        self.dim = dim
        self._arrays = {
            kind: np.empty((count, *shape), dtype)
            for kind in vector_kinds(precision)
            if kind != "bits"  # they are kept as words
            for dtype, shape in [columns(kind, dim)]
        }
        words = 0 if precision == "float32" else -(-dim // 64)
        self._words = np.empty((words, count), np.uint64)

    def __len__(self) -> int:
        """Count the rows."""
        return len(next(iter(self._arrays.values()), self._words.T))

    def fill(self, kind: str, start: int, rows: NDArray[Any]) -> None:
        """Put rows of one kind of shard in their place."""
        stop = start + len(rows)
        if kind in self._arrays:
            self._arrays[kind][start:stop] = rows
        if kind in ("codes", "bits"):
            self._words[:, start:stop] = _to_words(_signs(rows) if kind == "codes" else rows)

    def append(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add rows, as `encode` gives them."""
        old = len(self)
        grown = Matrix(self.precision, self.dim)
        grown._arrays = {
            kind: np.concatenate([array, arrays[kind]]) for kind, array in self._arrays.items()
        }
        count = len(next(iter(arrays.values())))
        grown._words = np.empty((len(self._words), old + count), np.uint64)
        grown._words[:, :old] = self._words
        if self.precision != "float32":
            kind = "codes" if self.precision == "int8" else "bits"
            grown._words[:, old:] = _to_words(
                _signs(arrays[kind]) if kind == "codes" else arrays[kind]
            )
        self._arrays, self._words = grown._arrays, grown._words

    def take(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Give rows as they are stored, by kind."""
        if self.precision == "binary":
            return {"bits": self._bits(rows)}
        return {kind: array[rows] for kind, array in self._arrays.items()}

    def nearest(self, query: NDArray[np.float32], count: int, removed: Rows) -> tuple[Rows, Scores]:
        """Find the rows of the highest cosine to a query.

        Args:
            query: float32 [dim], of unit length.
            count: rows at most; as many are found if there are.
            removed: rows to leave out.

        Returns:
            int64 [n], best first, and their scores, float64 [n].
        """
        rows = self._candidates(query, min(count + len(removed), len(self)), removed)
        rows = rows[~among(rows, removed)]
        return best(rows, self._scores(query, rows), count)

    def _candidates(self, query: NDArray[np.float32], count: int, removed: Rows) -> Rows:
        least, each = _CANDIDATES
        wanted = max(least, each * count)
        if self.precision == "float32":
            return self._scan(query, count, removed)
        if wanted >= len(self) or (self.precision == "int8" and len(self) <= _SCANNED):
            return np.arange(len(self))
        distances = self._distances(query)
        distances[removed] = self.dim + 1
        return _lowest(distances, wanted, self.dim + 1)

    def _scan(self, query: NDArray[np.float32], count: int, removed: Rows) -> Rows:
        vectors = self._arrays["vectors"]
        if count >= len(vectors):
            return np.arange(len(vectors))
        # Not `@`: see `similarity.dot`.
        scores: NDArray[np.float32] = np.einsum("nd,d->n", vectors, query)
        scores[removed] = -np.inf
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        return np.flatnonzero(scores >= last - np.float32(_MARGIN))

    def _distances(self, query: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Count the signs that differ from the query's, of every row."""
        words = _to_words(_signs(query[np.newaxis]))[:, 0]
        distances = np.empty(len(self), np.uint16)
        differing = np.empty(_BLOCK, np.uint64)
        counts = np.empty(_BLOCK, np.uint8)
        for start in range(0, len(self), _BLOCK):
            block = self._words[:, start : start + _BLOCK]
            total = distances[start : start + _BLOCK]
            size = len(total)
            total[:] = 0
            for column, word in zip(block, words, strict=True):
                np.bitwise_xor(column, word, out=differing[:size])
                np.bitwise_count(differing[:size], out=counts[:size])
                np.add(total, counts[:size], out=total)
        return distances

    def _scores(self, query: NDArray[np.float32], rows: Rows) -> Scores:
        """Score rows in float64, some at a time."""
        wide = query.astype(np.float64)
        scores = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), _EXACT_BLOCK):
            some = rows[start : start + _EXACT_BLOCK]
            scores[start : start + len(some)] = self._score(wide, some)
        return scores

    def _score(self, query: NDArray[np.float64], rows: Rows) -> Scores:
        if self.precision == "binary":
            signs = np.unpackbits(self._bits(rows), axis=1, count=self.dim)
            return cast("Scores", np.einsum("nd,d->n", 2.0 * signs - 1, query) * self.dim**-0.5)
        main, *scales = self._arrays.values()
        scores: Scores = np.einsum("nd,d->n", main[rows].astype(np.float64), query)
        return scores * scales[0][rows].astype(np.float64) if scales else scores

    def _bits(self, rows: Rows) -> NDArray[np.uint8]:
        words = np.ascontiguousarray(self._words[:, rows].T)
        return words.view(np.uint8)[:, : -(-self.dim // 8)]


def among(rows: Rows, some: Rows) -> NDArray[np.bool_]:
    """Tell which rows are among some others, which ascend.

    `np.isin` and `np.unique` need all of `numpy.ma`, which the page does without.
    """
    if not len(some):
        return np.zeros(len(rows), bool)
    places = np.minimum(np.searchsorted(some, rows), len(some) - 1)
    return cast("NDArray[np.bool_]", some[places] == rows)


def best(rows: Rows, scores: Scores, count: int) -> tuple[Rows, Scores]:
    """Sort by score, highest first, ties by row, and keep the first."""
    if count < len(rows):  # so that few are sorted
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        kept = scores >= last
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:count]
    return rows[order], scores[order]


def _lowest(distances: NDArray[np.uint16], count: int, highest: int) -> Rows:
    """Find the `count` lowest; of those at the border the first."""
    below = np.cumsum(np.bincount(distances, minlength=highest + 1))
    border = int(np.searchsorted(below, count))
    rows = np.flatnonzero(distances <= border)
    if len(rows) > count:
        last = np.flatnonzero(distances[rows] == border)
        rows = np.delete(rows, last[count - len(rows) :])
    return rows


def _signs(vectors: NDArray[Any]) -> NDArray[np.uint8]:
    return np.packbits(vectors > 0, axis=1)


def _to_words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Turn packed bits, uint8 [n, bytes], into columns of 64: uint64 [words, n]."""
    rows, width = bits.shape
    padded = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    padded[:, :width] = bits
    return padded.view(np.uint64).T
