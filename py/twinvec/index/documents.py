"""Documents: in memory where they were added, read line by line where they were saved."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from twinvec.index.format import check_digest
from twinvec.index.stores.base import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from twinvec.index.format import Shard
    from twinvec.index.stores.base import Steps

__all__ = ["Document", "Documents", "MemoryDocuments", "StoredDocuments", "to_line"]

_GAP = 1 << 14  # bytes; lines nearer to each other are read in one part
_REMEMBERED = 4096  # lines


@dataclass(frozen=True)
class Document:
    """A text, the id that names it in its index, and what else is known of it, JSON-ready."""

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def to_line(document: Document) -> bytes:
    """Write a document as a line of JSON, without its newline.

    Raises:
        TypeError, ValueError: its metadata is not JSON.
    """
    block = {"id": document.id, "text": document.text, "metadata": document.metadata}
    return json.dumps(block, allow_nan=False).encode()  # ASCII: UTF-8 has no lone surrogates


class Documents(Protocol):
    """The documents of some rows."""

    def get(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Give those of some rows, in their order."""


class MemoryDocuments:
    """Documents that were added."""

    def __init__(self) -> None:
        self.all: list[Document] = []

    def get(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Look them up."""
        yield from ()
        return [self.all[row] for row in rows]


class StoredDocuments:
    """Documents in a folder, of which only those asked for are read.

    Args:
        shards: of kind `documents`.
        lines: of kind `lines`, uint64 [rows, 2].
    """

    def __init__(self, shards: Sequence[Shard], lines: NDArray[np.uint64]) -> None:
        self._shards = shards
        self._starts, self._digests = lines[:, 0], lines[:, 1]
        self._ends = np.cumsum([shard.rows for shard in shards], dtype=np.int64)
        self._remembered: dict[int, Document] = {}

    def get(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Read lines, those near to each other together, and check each.

        Raises:
            IntegrityError: a line is not the one that was written.
        """
        found = {row: self._remembered[row] for row in rows if row in self._remembered}
        groups = self._groups(set(rows) - set(found))
        contents = (yield [part for part, _ in groups]) if groups else []
        for (part, group), content in zip(groups, contents, strict=True):
            for row in group:
                start, stop = self._span(row)
                found[row] = self._parse(
                    row, part.file, content[start - part.start :][: stop - start]
                )
        if len(self._remembered) + len(found) > _REMEMBERED:
            self._remembered.clear()
        self._remembered |= dict(list(found.items())[:_REMEMBERED])
        return [found[row] for row in rows]

    def _parse(self, row: int, file: str, line: bytes) -> Document:
        line = line.removesuffix(b"\n")
        check_digest(file, line, int(self._digests[row]))
        return Document(**json.loads(line))

    def _groups(self, rows: Iterable[int]) -> list[tuple[Part, list[int]]]:
        groups: list[tuple[Part, list[int]]] = []
        for row in sorted(rows):
            shard = self._shards[int(np.searchsorted(self._ends, row, side="right"))]
            start, stop = self._span(row)
            if groups:
                last, group = groups[-1]
                if last.shard == shard and start - (last.stop or 0) <= _GAP:
                    groups[-1] = Part(shard, last.start, stop), [*group, row]
                    continue
            groups.append((Part(shard, start, stop), [row]))
        return groups

    def _span(self, row: int) -> tuple[int, int]:
        """Tell where a line is in its shard."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        last = row + 1 == int(self._ends[number])
        stop = self._shards[number].bytes if last else int(self._starts[row + 1])
        return int(self._starts[row]), stop
