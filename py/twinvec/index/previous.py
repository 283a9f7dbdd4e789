"""The vectors of an index that is about to be replaced, so that what is unchanged stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.format import Manifest, columns, from_npy, vector_kinds, wide_digest
from twinvec.index.store import FolderStore, Part, drive, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.format import Precision

__all__ = ["Previous"]


class Previous:
    """The vectors of an index that is about to be replaced, found by their texts."""

    def __init__(self, store: FolderStore, manifest: Manifest) -> None:
        self._store, self._manifest = store, manifest
        self._sorted: NDArray[np.uint64] | None = None
        self._order = np.empty(0, np.intp)
        self._checked: set[str] = set()

    @classmethod
    def open(
        cls, folder: Path, fingerprint: Mapping[str, Any], precision: Precision, dim: int
    ) -> Previous:
        """Open a folder; empty where its vectors cannot be taken over."""
        store = FolderStore(folder)
        try:
            found = Manifest.from_json(store.read([Part()])[0])
        except IndexFormatError:  # there is none, or none that could be read
            found = None
        if found and (found.fingerprint, found.precision, found.dim) == (
            fingerprint,
            precision,
            dim,
        ):
            return cls(store, found)
        return cls(store, Manifest(dict(fingerprint), precision, dim, 0, {}))

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See `IndexWriter.find`."""
        found = np.full(len(texts), -1, np.int64)
        if not self._manifest.count:
            return found
        if self._sorted is None:
            self._sorted = drive(read_all(self._manifest, "texts"), self._store)
            self._order = np.lexsort((self._sorted[:, 1], self._sorted[:, 0]))
            self._sorted = self._sorted[self._order]
        wanted = np.frombuffer(b"".join(map(wide_digest, texts)), "<u8").reshape(-1, 2)
        places = np.searchsorted(self._sorted[:, 0], wanted[:, 0])
        places = np.minimum(places, len(self._sorted) - 1)
        same = (self._sorted[places] == wanted).all(axis=1)
        found[same] = self._order[places[same]]
        return found

    def take(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Read rows as they are stored."""
        if rows.max(initial=0) >= self._manifest.count:
            count = self._manifest.count
            raise ValueError(f"stored: of the folder's index {count} vectors can be taken over")
        return {kind: self._rows(kind, rows) for kind in vector_kinds(self._manifest.precision)}

    def _rows(self, kind: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        shards = self._manifest.shards[kind]
        ends = np.cumsum([shard.rows for shard in shards])
        numbers = np.searchsorted(ends, rows, side="right")
        dtype, shape = columns(kind, self._manifest.dim)
        found = np.empty((len(rows), *shape), dtype)
        for number in sorted(set(numbers.tolist())):
            shard, inside = shards[number], numbers == number
            array = self._open(kind, number)
            found[inside] = array[rows[inside] - (ends[number] - shard.rows)]
        return found

    def _open(self, kind: str, number: int) -> NDArray[Any]:
        """Map a shard, which is verified once."""
        shard = self._manifest.shards[kind][number]
        if shard.file not in self._checked:
            (content,) = self._store.read([Part(shard)])
            from_npy(shard, content, kind, self._manifest.dim)
            self._checked.add(shard.file)
        array: NDArray[Any] = np.load(self._store.folder / shard.file, mmap_mode="r")
        return array
