"""BM25 over the documents' terms, and its fusion with a ranking by vectors.

The formula is Lucene's: `idf * tf / (tf + k1 * (1 - b + b * length / mean length))` summed over
the query's distinct terms, with `idf = ln(1 + (n - df + 0.5) / (df + 0.5))`, k1 = 1.2, b = 0.75.
(Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009; Lucene leaves their factor
k1 + 1 out, which moves no document.)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeAlias
from unicodedata import normalize

import numpy as np

from twinvec.index.format import POSTING, check_digest, digest, row_bytes
from twinvec.index.stores.base import Part, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from twinvec.index.format import Manifest, Shard
    from twinvec.index.stores.base import Steps

__all__ = [
    "Lexical",
    "MemoryLexical",
    "Postings",
    "StoredLexical",
    "fuse",
    "idf",
    "terms",
    "weights",
]

_K1, _B = 1.2, 0.75
_FUSED = 60  # Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", 2009
_REMEMBERED = 1 << 25  # bytes of postings

Postings: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float64]]"
"""Rows that have a term, ascending, and how often."""

_TERM = re.compile(r"\w+")


def terms(text: str) -> list[str]:
    """Split a text; in its order, with repetitions.

    Composed, since macOS and many PDFs write an accent as a character of its own, which no
    keyboard types, and at which a word would end.
    """
    return _TERM.findall(normalize("NFC", text).casefold())


def term_digest(term: str) -> int:
    """Shorten a term to what stands for it in an index."""
    return digest(term.encode("utf-8", "surrogatepass"))


class Lexical(Protocol):
    """The terms of some rows."""

    def counts(self, wanted: Sequence[int]) -> Steps[list[int]]:
        """Count the rows that have each of some terms, by their digests."""

    def postings(self, wanted: Sequence[int]) -> Steps[list[Postings]]:
        """Give the postings of terms, by their digests; empty where no row has it."""

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Give the number of terms of every row; uint32 [rows]."""


class MemoryLexical:
    """Terms of texts that were added; they are split when they are first asked for."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._lengths: list[int] = []
        self._counts: dict[int, dict[int, int]] = {}

    def append(self, texts: Iterable[str]) -> None:
        """Add texts."""
        self._waiting += texts

    def counts(self, wanted: Sequence[int]) -> Steps[list[int]]:
        """Look them up; see `Lexical.counts`."""
        yield from ()
        self._split()
        return [len(self._counts.get(one, {})) for one in wanted]

    def postings(self, wanted: Sequence[int]) -> Steps[list[Postings]]:
        """Look them up; see `Lexical.postings`."""
        yield from ()
        self._split()
        found = [self._counts.get(one, {}) for one in wanted]
        return [
            (np.array(list(counts), np.int64), np.array(list(counts.values()), np.float64))
            for counts in found
        ]

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Count them; see `Lexical.lengths`."""
        yield from ()
        self._split()
        return np.array(self._lengths, np.uint32)

    def _split(self) -> None:
        for text in self._waiting:
            row, split = len(self._lengths), terms(text)
            self._lengths.append(len(split))
            for term, count in Counter(split).items():
                self._counts.setdefault(term_digest(term), {})[row] = min(count, 0xFFFF)
        self._waiting = []


class StoredLexical:
    """Terms in a folder; the postings of those asked for are read, and nothing else of them."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._lengths: NDArray[np.uint32] | None = None
        self._terms: NDArray[np.uint64] | None = None
        self._remembered: dict[int, NDArray[np.void]] = {}

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Read them once; see `Lexical.lengths`."""
        if self._lengths is None:
            self._lengths = yield from read_all(self._manifest, "lengths")
        return self._lengths

    def counts(self, wanted: Sequence[int]) -> Steps[list[int]]:
        """Tell them without reading postings; see `Lexical.counts`."""
        known = yield from self._known()
        places = [self._place(known, one) for one in wanted]
        return [len(place[1]) if place else 0 for place in places]

    def postings(self, wanted: Sequence[int]) -> Steps[list[Postings]]:
        """Read the ranges; see `Lexical.postings`.

        Raises:
            IntegrityError: what was read is not what was written.
        """
        known = yield from self._known()
        found = {one: self._remembered[one] for one in wanted if one in self._remembered}
        places = {one: self._place(known, one) for one in wanted if one not in found}
        asked = {one: place for one, place in places.items() if place}
        contents = (
            (yield [_part(shard, rows) for shard, rows, _ in asked.values()]) if asked else []
        )
        for (one, (shard, _, expected)), content in zip(asked.items(), contents, strict=True):
            check_digest(shard.file, content, expected)
            found[one] = np.frombuffer(content, POSTING)
        self._remember(found)
        none = np.empty(0, POSTING)
        rows = [found.get(one, none) for one in wanted]
        return [(one["document"].astype(np.int64), one["count"].astype(np.float64)) for one in rows]

    def _known(self) -> Steps[NDArray[np.uint64]]:
        """Read all terms, once."""
        if self._terms is None:
            self._terms = yield from read_all(self._manifest, "terms")
        return self._terms

    def _place(self, known: NDArray[np.uint64], wanted: int) -> tuple[Shard, range, int] | None:
        """Find the shard of a term's postings, which of its rows they are, and their digest."""
        place = int(np.searchsorted(known[:, 0], np.uint64(wanted)))
        if place == len(known) or int(known[place, 0]) != wanted:
            return None
        shards = self._manifest.shards
        ends = np.cumsum([shard.rows for shard in shards["terms"]])
        number = int(np.searchsorted(ends, place, side="right"))
        shard = shards["postings"][number]
        last = place + 1 == int(ends[number])
        stop = shard.rows if last else int(known[place + 1, 1])
        return shard, range(int(known[place, 1]), stop), int(known[place, 2])

    def _remember(self, found: dict[int, NDArray[np.void]]) -> None:
        self._remembered |= found
        while sum(one.nbytes for one in self._remembered.values()) > _REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))


def _part(shard: Shard, rows: range) -> Part:
    width = row_bytes("postings", 0)
    header = shard.bytes - shard.rows * width
    return Part(shard, header + rows.start * width, header + rows.stop * width)


def idf(rows: int, having: int) -> float:
    """Weigh a term by how few rows have it.

    Rounded, so that two mathematical libraries that differ in the last bit rank alike.
    """
    return round(math.log(1 + (rows - having + 0.5) / (having + 0.5)), 12)


def weights(
    counts: NDArray[np.float64], lengths: NDArray[np.float64], mean: float
) -> NDArray[np.float64]:
    """Weigh how often rows have a term, between 0 and 1."""
    return counts / (counts + _K1 * (1 - _B + _B * lengths / mean))


def fuse(rankings: Iterable[Iterable[int]]) -> list[tuple[int, float]]:
    """Fuse rankings of positions: `sum 1 / (60 + rank)`, best first, ties by position."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, position in enumerate(ranking, 1):
            scores[position] = scores.get(position, 0.0) + 1 / (_FUSED + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
