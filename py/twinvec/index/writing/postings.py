"""Turn the terms of any number of texts into sorted postings, in bounded memory.

The (term, document) pairs of some texts at a time are sorted into a run. All runs but the last are
written to temporary files in the index's folder, since the system's own folder for them may be
small, or in memory. Digests of terms are evenly distributed. So at the end, each range of digests
is small enough to be gathered from all runs and sorted at once; each range becomes one shard.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.format import POSTING, digest, text_digest
from twinvec.index.terms import MAX_TERM_FREQUENCY, tokenize
from twinvec.index.writing.shards import TableWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from twinvec.index.manifest import Shard
    from twinvec.index.writing.shards import Limits, NewFiles

CACHED_DIGESTS = 1 << 20

_Run = tuple["NDArray[np.uint64]", "NDArray[np.void]"]  # digests of terms, and postings


class PostingsWriter:
    """Collects the terms of texts, in their order, and writes `lengths`, `terms`, `postings`.

    Args:
        files: receives the shards.
        limits: of shards and memory.
    """

    def __init__(self, files: NewFiles, limits: Limits) -> None:
        self._files, self._limits = files, limits
        self._runs: list[tuple[str, str]] = []  # names of temporary files
        self._lengths = TableWriter(files, "lengths", 0, limits.array_bytes)
        # The next run: digests of terms, and how many of them belong to each text.
        self._digests = array("Q")
        self._term_counts = array("I")
        self._cache: dict[str, int] = {}
        self._text_count = self._posting_count = 0

    def append(self, text: str) -> None:
        """Add a text."""
        terms = tokenize(text)
        if len(self._cache) > CACHED_DIGESTS:
            self._cache.clear()
        for term in terms:
            if term not in self._cache:
                self._cache[term] = text_digest(term)
        self._digests.extend(map(self._cache.__getitem__, terms))
        self._term_counts.append(len(terms))
        if len(self._digests) >= self._limits.sorted_terms:
            digests, postings = map(self._files.write_temporary, self._sort())
            self._runs.append((digests, postings))

    def close(self) -> dict[str, list[Shard]]:
        """Write the remaining terms; return all shards by kind."""
        last_run = self._sort()
        shards: dict[str, list[Shard]] = {"terms": [], "postings": []}
        for digests, postings in self._ranges(last_run):
            starts = _starts(digests)
            ends = np.append(starts, len(postings))[1:]
            checks = [
                digest(postings[start:end].tobytes())
                for start, end in zip(starts, ends, strict=True)
            ]
            rows = [digests[starts], starts.astype(np.uint64), np.array(checks, np.uint64)]
            shards["terms"].append(self._files.write_array("terms", np.stack(rows, axis=1)))
            shards["postings"].append(self._files.write_array("postings", postings))
        return {**shards, "lengths": self._lengths.close()}

    def _sort(self) -> _Run:
        """Sort the collected terms by digest, then document, and count repetitions."""
        lengths = np.array(self._term_counts, np.intp)
        digests = np.array(self._digests, np.uint64)
        documents = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths)
        documents += self._text_count
        order = np.argsort(digests, kind="stable")  # so that documents ascend within a term
        digests, documents = digests[order], documents[order]
        # A posting begins where the term or the document changes.
        is_first = np.ones(len(order), bool)
        is_first[1:] = (digests[1:] != digests[:-1]) | (documents[1:] != documents[:-1])
        starts = np.flatnonzero(is_first)
        postings = np.empty(len(starts), POSTING)
        postings["document"] = documents[starts]
        counts = np.diff(starts, append=len(order))
        postings["count"] = np.minimum(counts, MAX_TERM_FREQUENCY)
        self._lengths.append(lengths.astype(np.uint32))
        self._text_count += len(lengths)
        self._posting_count += len(postings)
        self._digests, self._term_counts = array("Q"), array("I")
        return digests[starts], postings

    def _ranges(self, last_run: _Run) -> Iterator[_Run]:
        """Yield consecutive ranges of digests, each gathered from all runs and sorted."""
        count = max(1, -(-self._posting_count // self._limits.shard_postings))
        for number in range(count):
            low, high = (2**64 * edge // count for edge in (number, number + 1))
            opened = (
                (self._files.open_temporary(digests), self._files.open_temporary(postings))
                for digests, postings in self._runs
            )
            slices = [_slice(run, low, high) for run in chain(opened, [last_run])]
            digests, postings = (np.concatenate(parts) for parts in zip(*slices, strict=True))
            order = np.argsort(digests, kind="stable")
            yield digests[order], postings[order]


def _slice(run: _Run, low: int, high: int) -> _Run:
    """Copy the part of a run with digests from `low` to below `high`."""
    digests, postings = run
    start = np.searchsorted(digests, np.uint64(low))
    stop = np.searchsorted(digests, np.uint64(high)) if high < 2**64 else len(digests)
    return np.array(digests[start:stop]), np.array(postings[start:stop])


def _starts(digests: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Find the rows at which a new term begins."""
    is_first = np.ones(len(digests), bool)
    is_first[1:] = digests[1:] != digests[:-1]
    return np.flatnonzero(is_first)
