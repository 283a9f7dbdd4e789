"""Turn the terms of any number of texts into sorted postings, in bounded memory.

Texts come in any number, so their (term, document) pairs are sorted a block at a time, and all but
the last put aside in the index's folder: the system's folder for temporary files may be small, or
memory. Digests of terms are evenly spread, so that in the end each range of digests is small enough
to be gathered from all blocks and sorted at once; each range becomes one shard.
"""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from twinvec.index.format import POSTING, digest, text_digest
from twinvec.index.terms import tokenize
from twinvec.index.writing.shards import TableWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from twinvec.index.format import Shard
    from twinvec.index.writing.shards import NewFiles

__all__ = ["PostingsWriter"]

_BLOCK = 1 << 21  # terms, repetitions included, that are sorted at once
_RANGE = 1 << 21  # postings of a shard, about
_KNOWN = 1 << 20  # digests that are remembered

_Run = tuple["NDArray[np.uint64]", "NDArray[np.void]"]


class PostingsWriter:
    """Collects the terms of texts, in their order, and writes `lengths`, `terms`, `postings`."""

    def __init__(self, files: NewFiles) -> None:
        self._files = files
        self._runs: list[tuple[str, str]] = []
        self._lengths = TableWriter(files, "lengths", 0)
        self._digests = array("Q")
        self._waiting = array("I")  # lengths of the texts in `_digests`
        self._known: dict[str, int] = {}
        self._rows = self._postings = 0

    def append(self, text: str) -> None:
        """Add one text."""
        split = tokenize(text)
        if len(self._known) > _KNOWN:
            self._known.clear()
        for term in split:
            if term not in self._known:
                self._known[term] = text_digest(term)
        self._digests.extend(map(self._known.__getitem__, split))
        self._waiting.append(len(split))
        if len(self._digests) >= _BLOCK:
            digests, pairs = self._sort()
            self._runs.append((self._files.put_aside(digests), self._files.put_aside(pairs)))

    def close(self) -> dict[str, list[Shard]]:
        """Write what was collected."""
        last = self._sort()
        shards: dict[str, list[Shard]] = {"terms": [], "postings": []}
        for digests, pairs in self._ranges(last):
            starts = _starts(digests)
            ends = np.append(starts, len(pairs))[1:]
            checks = [
                digest(pairs[start:end].tobytes()) for start, end in zip(starts, ends, strict=True)
            ]
            rows = [digests[starts], starts.astype(np.uint64), np.array(checks, np.uint64)]
            shards["terms"].append(self._files.array("terms", np.stack(rows, axis=1)))
            shards["postings"].append(self._files.array("postings", pairs))
        return {**shards, "lengths": self._lengths.close()}

    def _sort(self) -> _Run:
        """Sort a block by term, then document."""
        lengths = np.array(self._waiting, np.intp)
        digests = np.array(self._digests, np.uint64)
        documents = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths) + self._rows
        order = np.argsort(digests, kind="stable")  # so that documents ascend within a term
        digests, documents = digests[order], documents[order]
        new = np.ones(len(order), bool)
        new[1:] = (digests[1:] != digests[:-1]) | (documents[1:] != documents[:-1])
        starts = np.flatnonzero(new)
        pairs = np.empty(len(starts), POSTING)
        pairs["document"] = documents[starts]
        pairs["count"] = np.minimum(np.diff(starts, append=len(order)), 0xFFFF)
        self._lengths.append(lengths.astype(np.uint32))
        self._rows += len(lengths)
        self._postings += len(pairs)
        self._digests, self._waiting = array("Q"), array("I")
        return digests[starts], pairs

    def _ranges(self, last: _Run) -> Iterator[_Run]:
        """Give ranges of digests one after the other, each sorted over all blocks."""
        count = max(1, -(-self._postings // _RANGE))
        for number in range(count):
            low, high = (2**64 * edge // count for edge in (number, number + 1))
            opened = ((self._files.aside(one), self._files.aside(two)) for one, two in self._runs)
            gathered = [_slice(run, low, high) for run in chain(opened, [last])]
            digests, pairs = (np.concatenate(parts) for parts in zip(*gathered, strict=True))
            order = np.argsort(digests, kind="stable")
            yield digests[order], pairs[order]


def _slice(run: _Run, low: int, high: int) -> _Run:
    digests, pairs = run
    start = np.searchsorted(digests, np.uint64(low))
    stop = np.searchsorted(digests, np.uint64(high)) if high < 2**64 else len(digests)
    return np.array(digests[start:stop]), np.array(pairs[start:stop])


def _starts(digests: NDArray[np.uint64]) -> NDArray[np.intp]:
    new = np.ones(len(digests), bool)
    new[1:] = digests[1:] != digests[:-1]
    return np.flatnonzero(new)
