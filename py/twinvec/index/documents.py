"""Documents: kept in memory when added, read line by line when saved."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.format import (
    DAMAGED,
    MAX_NESTING,
    check_digest,
    check_nesting,
    parse_json,
)
from twinvec.index.npy import check_starts
from twinvec.index.stores.base import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from twinvec.index.manifest import Shard
    from twinvec.index.stores.base import Steps

MAX_GAP_BYTES = 1 << 14  # lines closer together than this are read in one part
CACHED_LINES = 4096


@dataclass(frozen=True)
class Document:
    """A text with its id and metadata, as an index holds it.

    ::

        Document("panda", "The giant panda eats bamboo.", {"lang": "en"})

    Attributes:
        id: unique in an index.
        text: the text that is encoded.
        metadata: a JSON-ready mapping.
    """

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def to_line(document: Document) -> bytes:
    """Write a document as a line of JSON, without the newline.

    Raises:
        TypeError, ValueError: the metadata is not JSON, or nested too deep.
    """
    fields = {"id": document.id, "text": document.text, "metadata": document.metadata}
    try:
        line = json.dumps(fields, allow_nan=False)  # ASCII: UTF-8 has no lone surrogates
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels") from None
    _check_keys(document.metadata)
    check_nesting(line)
    return line.encode()


def _check_keys(metadata: dict[str, Any]) -> None:
    """Refuse keys that JSON turns into strings, of which two could become equal.

    Raises:
        TypeError: a key is not a string.
    """
    containers: list[Any] = [metadata]
    while containers:
        container = containers.pop()
        values = container
        if isinstance(container, dict):
            for key in container:
                if not isinstance(key, str):
                    raise TypeError(f"the key {key!r} is not a string")
            values = container.values()
        containers += (value for value in values if isinstance(value, dict | list | tuple))


def to_numbered_line(number: int, document: Document) -> bytes:
    """Write a document as a line of JSON.

    Raises:
        ValueError: the metadata is not JSON; the message names the document by its number.
        TypeError: it is not a `Document`, or its id, text or metadata has another type.
    """
    for name, type_ in (("id", str), ("text", str), ("metadata", dict)):
        value = getattr(document, name, None)
        if not isinstance(value, type_):
            kind = type(value).__name__
            raise TypeError(
                f"documents[{number}]: its {name} must be a {type_.__name__}, not {kind}"
            )
    try:
        return to_line(document)
    except (TypeError, ValueError) as err:
        raise ValueError(f"documents[{number}]: its metadata is not JSON ({err})") from err


def _to_document(line: bytes) -> Document:
    document = Document(**parse_json(line))
    for name, kind in (("id", str), ("text", str), ("metadata", dict)):
        if not isinstance(getattr(document, name), kind):
            raise TypeError(f"its {name} is of another type")
    return document


class Documents(Protocol):
    """The documents of a segment."""

    def read(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Read the documents of some rows, in their order."""


class MemoryDocuments:
    """Documents that were added.

    Args:
        documents: in the order of the rows. Others may be appended to the list later.
    """

    def __init__(self, documents: list[Document] | None = None) -> None:
        self._documents = [] if documents is None else documents

    def appended(self, documents: Iterable[Document]) -> MemoryDocuments:
        """Add documents; the rows of this object stay as they are."""
        self._documents += documents
        return MemoryDocuments(self._documents)

    def read(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Look them up; see `Documents.read`."""
        yield from ()
        return [self._documents[row] for row in rows]


class StoredDocuments:
    """Documents in a store; only the lines asked for are read.

    Args:
        shards: of kind `documents`.
        lines: of kind `lines`, uint64 [rows, 2]: where each line begins, and its digest.

    Raises:
        IndexFormatError: the lines do not follow each other.
    """

    def __init__(self, shards: Sequence[Shard], lines: NDArray[np.uint64]) -> None:
        self._shards = shards
        self._starts, self._digests = lines[:, 0], lines[:, 1]
        self._ends = np.cumsum([shard.rows for shard in shards], dtype=np.int64)
        for shard, end in zip(shards, self._ends, strict=True):
            check_starts(shard.file, self._starts[end - shard.rows : end], shard.bytes)
        self._cache: dict[int, Document] = {}

    def read(self, rows: Sequence[int]) -> Steps[list[Document]]:
        """Read lines, those close together in one part, and check each; see `Documents.read`.

        Raises:
            IntegrityError: a line differs from the one that was written.
            IndexFormatError: a line is not a document.
        """
        cache = self._cache  # another thread may start a new one
        documents = {row: cache[row] for row in rows if row in cache}
        parts = self._parts(set(rows) - set(documents))
        contents = (yield [part for part, _ in parts]) if parts else []
        for (part, part_rows), content in zip(parts, contents, strict=True):
            for row in part_rows:
                start, stop = self._span(row)
                line = content[start - part.start :][: stop - start]
                documents[row] = self._parse(row, part.file, line)
        if len(cache) + len(documents) > CACHED_LINES:
            cache = self._cache = {}
        cache.update(list(documents.items())[:CACHED_LINES])
        return [documents[row] for row in rows]

    def _parse(self, row: int, file: str, line: bytes) -> Document:
        line = line.removesuffix(b"\n")
        check_digest(file, line, int(self._digests[row]))
        try:
            return _to_document(line)
        except (TypeError, ValueError) as err:
            raise IndexFormatError(f"{file}: a document is damaged ({err}). {DAMAGED}") from err

    def _parts(self, rows: Iterable[int]) -> list[tuple[Part, list[int]]]:
        """Return the parts to read, each with its rows."""
        parts: list[tuple[Part, list[int]]] = []
        for row in sorted(rows):
            shard = self._shards[int(np.searchsorted(self._ends, row, side="right"))]
            start, stop = self._span(row)
            if parts:
                last, last_rows = parts[-1]
                if last.shard == shard and start - (last.stop or 0) <= MAX_GAP_BYTES:
                    parts[-1] = Part(shard, last.start, stop), [*last_rows, row]
                    continue
            parts.append((Part(shard, start, stop), [row]))
        return parts

    def _span(self, row: int) -> tuple[int, int]:
        """Return where a line begins and ends in its shard."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        is_last = row + 1 == int(self._ends[number])
        stop = self._shards[number].bytes if is_last else int(self._starts[row + 1])
        return int(self._starts[row]), stop
