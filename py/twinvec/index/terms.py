"""Terms of documents, and their weights by BM25.

The score of a document is Lucene's: for each distinct term of the query,

    idf * tf / (tf + k1 * (1 - b + b * length / mean length))

is summed, where `tf` counts the term in the document, `idf = ln(1 + (n - df + 0.5) / (df + 0.5))`
for the `df` of `n` documents that have the term, k1 = 1.2 and b = 0.75. (Robertson and Zaragoza,
"The Probabilistic Relevance Framework", 2009. Lucene omits their factor k1 + 1, which does not
change the ranking.)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias
from unicodedata import normalize

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.format import DAMAGED, POSTING, check_digest, row_bytes, text_digest
from twinvec.index.npy import check_starts
from twinvec.index.stores.base import Part, read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twinvec.index.manifest import Manifest, Shard
    from twinvec.index.stores.base import Steps

K1, B = 1.2, 0.75
CACHED_POSTINGS_BYTES = 1 << 25
MAX_TERM_FREQUENCY = 0xFFFF  # of a posting

Postings: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float64]]"
"""Rows that have a term, ascending, and how often each has it."""

_TERM = re.compile(r"\w+")


def tokenize(text: str) -> list[str]:
    """Split a text into its terms, in order, repetitions included.

    Unicode's normal form C comes first: macOS and many PDFs write an accent as a character of its
    own, which no keyboard types, and which would end the term.
    """
    return _TERM.findall(normalize("NFC", text).casefold())


def idf(document_count: int, document_frequency: int) -> float:
    """Compute the inverse document frequency of a term.

    Rounded, so that mathematical libraries that differ in the last bit give the same ranking.
    """
    # Smoothed odds that a document lacks the term.
    odds = (document_count - document_frequency + 0.5) / (document_frequency + 0.5)
    # Plus one, so that a term in more than half of the documents still weighs above zero.
    return round(math.log(1 + odds), 12)


def tf_component(
    term_frequencies: NDArray[np.float64], lengths: NDArray[np.float64], mean_length: float
) -> NDArray[np.float64]:
    """Compute the weight of a term in each document, from 0 to 1.

    Args:
        term_frequencies: of the term in each document, float64 [n].
        lengths: number of terms of each document, float64 [n].
        mean_length: over all documents of the index.
    """
    # In a longer document a term is expected more often: b sets how much of the length counts.
    length_norm = 1 - B + B * lengths / mean_length
    # Each repetition adds less than the one before: k1 sets how soon the weight saturates.
    return term_frequencies / (term_frequencies + K1 * length_norm)


class Vocabulary(Protocol):
    """The terms of a segment, with their postings. Terms are passed as digests."""

    def document_frequencies(self, terms: Sequence[int]) -> Steps[list[int]]:
        """Count the rows that have each term."""

    def postings(self, terms: Sequence[int]) -> Steps[list[Postings]]:
        """Return the postings of each term; empty if no row has it."""

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Return the number of terms of every row; uint32 [rows]."""


class _MemoryTerms:
    """Terms of added texts, which are tokenized at the first search; shared by vocabularies."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.lengths: list[int] = []
        self.postings: dict[int, dict[int, int]] = {}  # term -> row -> term frequency
        self.lock = Lock()

    def tokenize(self) -> None:
        """Tokenize the waiting texts; only the holder of the lock may call it."""
        for text in self.waiting:
            row, terms = len(self.lengths), tokenize(text)
            self.lengths.append(len(terms))
            for term, count in Counter(terms).items():
                rows = self.postings.setdefault(text_digest(term), {})
                rows[row] = min(count, MAX_TERM_FREQUENCY)
        self.waiting = []


class MemoryVocabulary:
    """Terms of the first rows of the added texts.

    Args:
        terms: of all added texts.
        rows: number of rows.
    """

    def __init__(self, terms: _MemoryTerms | None = None, rows: int = 0) -> None:
        self._terms = _MemoryTerms() if terms is None else terms
        self._rows = rows

    def appended(self, texts: Sequence[str]) -> MemoryVocabulary:
        """Add texts; the rows of this object stay as they are."""
        with self._terms.lock:
            self._terms.waiting += texts
        return MemoryVocabulary(self._terms, self._rows + len(texts))

    def document_frequencies(self, terms: Sequence[int]) -> Steps[list[int]]:
        """Count in memory; see `Vocabulary.document_frequencies`."""
        postings = yield from self.postings(terms)
        return [len(rows) for rows, _ in postings]

    def postings(self, terms: Sequence[int]) -> Steps[list[Postings]]:
        """Look up in memory; see `Vocabulary.postings`."""
        yield from ()
        with self._terms.lock:
            self._terms.tokenize()
            by_row = [dict(self._terms.postings.get(term, {})) for term in terms]
        postings = []
        for rows in by_row:
            array = np.array(list(rows), np.int64)
            count = int(np.searchsorted(array, self._rows))  # later rows belong to later segments
            frequencies = np.array(list(rows.values()), np.float64)
            postings.append((array[:count], frequencies[:count]))
        return postings

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Count in memory; see `Vocabulary.lengths`."""
        yield from ()
        with self._terms.lock:
            self._terms.tokenize()
            return np.array(self._terms.lengths[: self._rows], np.uint32)


class _Span(NamedTuple):
    """Postings of one term in their shard, and their digest."""

    shard: Shard
    start: int
    stop: int
    digest: int

    def part(self) -> Part:
        width = row_bytes("postings", 0)
        header = self.shard.bytes - self.shard.rows * width
        return Part(self.shard, header + self.start * width, header + self.stop * width)


def _to_postings(file: str, content: bytes, lengths: NDArray[np.uint32]) -> NDArray[np.void]:
    """Read the postings of a term: rows ascend, and each count is at most its row's length."""
    postings = np.frombuffer(content, POSTING)
    rows, counts = postings["document"], postings["count"]
    fits = (rows[1:] > rows[:-1]).all() and bool(len(rows)) and rows[-1] < len(lengths)
    if not (fits and (counts > 0).all() and (counts <= lengths[rows]).all()):
        raise IndexFormatError(f"postings in {file} do not fit the documents. {DAMAGED}")
    return postings


class StoredVocabulary:
    """Terms in a store; of the postings, only those of the terms asked for are read."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._lengths: NDArray[np.uint32] | None = None
        self._terms: NDArray[np.uint64] | None = None
        self._cache: dict[int, NDArray[np.void]] = {}
        self._cache_lock = Lock()

    def lengths(self) -> Steps[NDArray[np.uint32]]:
        """Read them once; see `Vocabulary.lengths`."""
        if self._lengths is None:
            self._lengths = yield from read_all(self._manifest, "lengths")
        return self._lengths

    def document_frequencies(self, terms: Sequence[int]) -> Steps[list[int]]:
        """Count without reading postings; see `Vocabulary.document_frequencies`."""
        table = yield from self._table()
        spans = [self._span(table, term) for term in terms]
        return [span.stop - span.start if span else 0 for span in spans]

    def postings(self, terms: Sequence[int]) -> Steps[list[Postings]]:
        """Read byte ranges; see `Vocabulary.postings`.

        Raises:
            IntegrityError: the bytes differ from those that were written.
            IndexFormatError: they do not fit the documents.
        """
        table = yield from self._table()
        with self._cache_lock:
            postings = {term: self._cache[term] for term in terms if term in self._cache}
        missing = {term: self._span(table, term) for term in terms if term not in postings}
        spans = {term: span for term, span in missing.items() if span}
        contents = (yield [span.part() for span in spans.values()]) if spans else []
        lengths = yield from self.lengths()
        for (term, span), content in zip(spans.items(), contents, strict=True):
            check_digest(span.shard.file, content, span.digest)
            postings[term] = _to_postings(span.shard.file, content, lengths)
        self._remember(postings)
        empty = np.empty(0, POSTING)
        arrays = [postings.get(term, empty) for term in terms]
        return [
            (array["document"].astype(np.int64), array["count"].astype(np.float64))
            for array in arrays
        ]

    def _table(self) -> Steps[NDArray[np.uint64]]:
        """Read all terms, once; uint64 [terms, 3]."""
        if self._terms is None:
            terms = yield from read_all(self._manifest, "terms")
            self._check(terms)
            self._terms = terms
        return self._terms

    def _check(self, terms: NDArray[np.uint64]) -> None:
        """Check that terms ascend, and their postings follow each other."""
        shards = self._manifest.shards
        start = 0
        for term_shard, posting_shard in zip(shards["terms"], shards["postings"], strict=True):
            stop = start + term_shard.rows
            check_starts(posting_shard.file, terms[start:stop, 1], posting_shard.rows)
            start = stop
        if not (terms[1:, 0] > terms[:-1, 0]).all():
            raise IndexFormatError(f"the terms of the index do not ascend. {DAMAGED}")

    def _span(self, table: NDArray[np.uint64], term: int) -> _Span | None:
        """Find the postings of a term; None if no row has it."""
        row = int(np.searchsorted(table[:, 0], np.uint64(term)))
        if row == len(table) or int(table[row, 0]) != term:
            return None
        shards = self._manifest.shards
        ends = np.cumsum([shard.rows for shard in shards["terms"]])
        number = int(np.searchsorted(ends, row, side="right"))
        shard = shards["postings"][number]
        is_last = row + 1 == int(ends[number])
        stop = shard.rows if is_last else int(table[row + 1, 1])
        return _Span(shard, int(table[row, 1]), stop, int(table[row, 2]))

    def _remember(self, postings: dict[int, NDArray[np.void]]) -> None:
        with self._cache_lock:
            self._cache |= postings
            while sum(array.nbytes for array in self._cache.values()) > CACHED_POSTINGS_BYTES:
                self._cache.pop(next(iter(self._cache)))
