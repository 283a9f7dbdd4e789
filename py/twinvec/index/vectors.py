"""The vectors of a segment, and the search for those nearest to a query.

The search has two steps: a fast scan selects candidates, then these are scored in float64. The
scores, and so the order, come from the stored numbers alone. So both runtimes rank alike: float32
sums of 384 products differ between them by 1e-7, float64 sums by 1e-16. Equal vectors get equal
scores, and are ranked in the order of their rows.

The scan depends on the precision:

- float32: cosines in float32. Rows within its rounding error of the last place are candidates too.
- int8: up to `SCANNED_ROWS` all rows are candidates. Of more, the signs of the codes are compared
  with those of the query, 64 dimensions at a time (`np.bitwise_count`), and the rows with the
  lowest Hamming distance are candidates.
- binary: as int8, but a candidate's score is the cosine between the query and the row's vector of
  +1 and -1, since only signs are stored. Of the ten nearest of 60,000 real paragraphs it finds
  72 %. With the mean subtracted before it was 59 %, with a factor for each vector 72 %, rotated at
  random 69 %; two bits for each dimension find 82 %, four bits 94 %.

Signs are packed into 64-bit words and stored by column, [dim / 64, rows], so that each operation
runs over contiguous memory.

NumPy in the page lacks `numpy.ma`, which `np.isin`, `np.unique` and `np.median` import. So neither
this module nor any other that runs in the page may call them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from twinvec.encoding.arguments import float_array
from twinvec.index.format import columns, vector_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from twinvec.index.format import Precision

    Rows = NDArray[np.int64]
    Scores = NDArray[np.float64]

SCANNED_ROWS = 4096
MIN_CANDIDATES = 800
CANDIDATES_PER_HIT = 40
"""Of the ten nearest of 60,000 real paragraphs (all-MiniLM-L6-v2), int8 finds 98.0 % among 200
candidates, 98.8 % among 400, 99.1 % among 800, 99.3 % among all rows. 800 take 0.3 ms longer than
200. Of a million, most with noise of half a vector's length: 95.5, 97.8, 98.5, 98.7 % (3,200)."""
FLOAT32_MARGIN = 1e-5  # of a scan's scores; the largest error at 1,024 dimensions is below 1e-6
SCAN_BLOCK_ROWS = 1 << 15  # so that intermediate arrays stay in the cache
SCORE_BLOCK_ROWS = 4096
LENGTH_TOLERANCE = 1e-3  # float16 is within it; vectors that were never normalized are not


def check_vectors(vectors: ArrayLike, count: int, dim: int) -> NDArray[np.float32]:
    """Check that an array holds finite vectors of unit length, or zero; float32 [count, dim].

    Raises:
        ValueError: the shape is wrong, or a vector is not finite or not of unit length; the message
            names the row.
    """
    array = float_array(vectors, "vectors")
    if array.shape != (count, dim) and not (count == 0 and array.size == 0):
        raise ValueError(f"{count} texts need vectors [{count}, {dim}], not of shape {array.shape}")
    array = array.reshape(count, dim)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise ValueError(f"vectors[{int(np.argmin(finite))}] is not finite, so it has no direction")
    lengths = np.sqrt(np.einsum("nd,nd->n", array, array, dtype=np.float64))
    wrong = (np.abs(lengths - 1) > LENGTH_TOLERANCE) & (lengths > 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"vectors[{row}] has the length {lengths[row]:.4g}, not 1, so scores would not be "
            "cosines; scale the vectors first: twinvec.normalize(vectors)"
        )
    return array


def quantize(vectors: NDArray[np.float32], precision: Precision) -> dict[str, NDArray[Any]]:
    """Convert vectors to the arrays stored for a precision, by kind of shard.

    Args:
        vectors: float32 [n, dim], finite.
        precision: with `int8`, each vector has its own scale, its largest value / 127, so that its
            codes do not depend on other vectors.
    """
    if precision == "float32":
        return {"vectors": vectors}
    if precision == "binary":
        return {"bits": np.packbits(vectors > 0, axis=1)}
    largest = np.max(np.abs(vectors), axis=1, initial=0)
    scales = (largest / np.float32(127)).astype(np.float32)
    divisors = np.where(scales > 0, scales, np.float32(1))
    return {"codes": np.rint(vectors / divisors[:, np.newaxis]).astype(np.int8), "scales": scales}


class Matrix:
    """The vectors of a segment, as they are stored.

    Args:
        precision: of the stored vectors.
        dim: length of a vector.
        count: number of rows to allocate, each to be set by `fill`.
    """

    def __init__(self, precision: Precision, dim: int, count: int = 0) -> None:
        self.precision = precision
        self.dim = dim
        # The bits of precision binary are kept as words only.
        self._arrays = {
            kind: np.empty((count, *shape), dtype)
            for kind in vector_kinds(precision)
            if kind != "bits"
            for dtype, shape in [columns(kind, dim)]
        }
        # Signs of the vectors, uint64 [words, rows]; a scan of float32 needs none.
        words = 0 if precision == "float32" else -(-dim // 64)
        self._words = np.empty((words, count), np.uint64)

    def __len__(self) -> int:
        """Count the rows."""
        return len(next(iter(self._arrays.values()), self._words.T))

    def fill(self, kind: str, start: int, rows: NDArray[Any]) -> None:
        """Set rows of one kind of array, from row `start` on."""
        stop = start + len(rows)
        if kind in self._arrays:
            self._arrays[kind][start:stop] = rows
        if kind in ("codes", "bits"):
            self._words[:, start:stop] = _to_words(_signs(rows) if kind == "codes" else rows)

    def appended(self, arrays: Mapping[str, NDArray[Any]]) -> Matrix:
        """Make a matrix with more rows, as `quantize` returns them; this one stays unchanged."""
        start = len(self)
        count = len(next(iter(arrays.values())))
        larger = Matrix(self.precision, self.dim, start + count)
        for kind, array in self._arrays.items():
            larger._arrays[kind][:start] = array
        larger._words[:, :start] = self._words
        for kind, array in arrays.items():
            larger.fill(kind, start, array)
        return larger

    def take(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Return rows as they are stored, by kind."""
        if self.precision == "binary":
            return {"bits": self._bits(rows)}
        return {kind: array[rows] for kind, array in self._arrays.items()}

    def nearest(self, query: NDArray[np.float32], count: int, removed: Rows) -> tuple[Rows, Scores]:
        """Find the rows with the highest cosine similarity to a query.

        Args:
            query: float32 [dim], of unit length.
            count: maximum number of rows.
            removed: rows to leave out, ascending.

        Returns:
            int64 [n], best first, and their scores, float64 [n].
        """
        rows = self._candidates(query, min(count + len(removed), len(self)), removed)
        rows = rows[~is_in(rows, removed)]
        return top(rows, self._scores(query, rows), count)

    def _candidates(self, query: NDArray[np.float32], count: int, removed: Rows) -> Rows:
        """Select rows to score: at least those of the `count` highest scores, nearly always."""
        if self.precision == "float32":
            return self._scan(query, count, removed)
        candidates = max(MIN_CANDIDATES, CANDIDATES_PER_HIT * count)
        small = self.precision == "int8" and len(self) <= SCANNED_ROWS
        if small or candidates >= len(self):
            return np.arange(len(self))
        distances = self._distances(query)
        distances[removed] = self.dim + 1
        return _lowest(distances, candidates, self.dim + 1)

    def _scan(self, query: NDArray[np.float32], count: int, removed: Rows) -> Rows:
        """Select the rows with the highest cosines in float32, and those nearly as high."""
        vectors = self._arrays["vectors"]
        if count >= len(vectors):
            return np.arange(len(vectors))
        # Not `@`: see `similarity.dot`.
        scores: NDArray[np.float32] = np.einsum("nd,d->n", vectors, query)
        scores[removed] = -np.inf
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        return np.flatnonzero(scores >= last - np.float32(FLOAT32_MARGIN))

    def _distances(self, query: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Count the signs of every row that differ from the query's."""
        query_words = _to_words(_signs(query[np.newaxis]))[:, 0]
        distances = np.empty(len(self), np.uint16)
        differing = np.empty(SCAN_BLOCK_ROWS, np.uint64)
        counts = np.empty(SCAN_BLOCK_ROWS, np.uint8)
        for start in range(0, len(self), SCAN_BLOCK_ROWS):
            words = self._words[:, start : start + SCAN_BLOCK_ROWS]
            totals = distances[start : start + SCAN_BLOCK_ROWS]
            size = len(totals)
            totals[:] = 0
            for column, query_word in zip(words, query_words, strict=True):
                np.bitwise_xor(column, query_word, out=differing[:size])
                np.bitwise_count(differing[:size], out=counts[:size])
                np.add(totals, counts[:size], out=totals)
        return distances

    def _scores(self, query: NDArray[np.float32], rows: Rows) -> Scores:
        """Compute cosine similarities in float64, a bounded number of rows at a time."""
        wide_query = query.astype(np.float64)
        scores = np.empty(len(rows), np.float64)
        for start in range(0, len(rows), SCORE_BLOCK_ROWS):
            batch = rows[start : start + SCORE_BLOCK_ROWS]
            scores[start : start + len(batch)] = self._score(wide_query, batch)
        return scores

    def _score(self, query: NDArray[np.float64], rows: Rows) -> Scores:
        if self.precision == "binary":
            # Signs as +1 and -1; a vector of them has the length sqrt(dim).
            signs = np.unpackbits(self._bits(rows), axis=1, count=self.dim)
            return cast("Scores", np.einsum("nd,d->n", 2.0 * signs - 1, query) * self.dim**-0.5)
        values, *scales = self._arrays.values()
        scores: Scores = np.einsum("nd,d->n", values[rows].astype(np.float64), query)
        return scores * scales[0][rows].astype(np.float64) if scales else scores

    def _bits(self, rows: Rows) -> NDArray[np.uint8]:
        """Unpack words into bytes of eight signs, uint8 [n, ceil(dim / 8)]."""
        words = np.ascontiguousarray(self._words[:, rows].T)
        return words.view(np.uint8)[:, : -(-self.dim // 8)]


def is_in(rows: Rows, others: Rows) -> NDArray[np.bool_]:
    """Check which rows are among others, which ascend; `np.isin` needs `numpy.ma`."""
    if not len(others):
        return np.zeros(len(rows), bool)
    nearest = np.minimum(np.searchsorted(others, rows), len(others) - 1)
    return cast("NDArray[np.bool_]", others[nearest] == rows)


def top(rows: Rows, scores: Scores, count: int) -> tuple[Rows, Scores]:
    """Sort by score, highest first, ties by row, and return the first `count`."""
    if count < len(rows):  # sort only those that can be among the first
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        high = scores >= last
        rows, scores = rows[high], scores[high]
    order = np.lexsort((rows, -scores))[:count]
    return rows[order], scores[order]


def _lowest(distances: NDArray[np.uint16], count: int, highest: int) -> Rows:
    """Find the rows of the `count` lowest distances, ties by row."""
    # Number of rows up to each distance, and the distance at which `count` is reached.
    cumulative = np.cumsum(np.bincount(distances, minlength=highest + 1))
    border = int(np.searchsorted(cumulative, count))
    rows = np.flatnonzero(distances <= border)
    if len(rows) > count:
        ties = np.flatnonzero(distances[rows] == border)
        rows = np.delete(rows, ties[count - len(rows) :])
    return rows


def _signs(vectors: NDArray[Any]) -> NDArray[np.uint8]:
    """Pack one bit a dimension, set where the value is above zero."""
    return np.packbits(vectors > 0, axis=1)


def _to_words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Convert packed bits, uint8 [n, bytes], to columns of 64: uint64 [words, n]."""
    rows, width = bits.shape
    padded = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    padded[:, :width] = bits
    return padded.view(np.uint64).T
