"""The vectors of an index that is about to be replaced, so that what is unchanged stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError, IntegrityError
from twinvec.index.format import Manifest, columns, from_npy, vector_kinds, wide_digest
from twinvec.index.stores.base import Part, drive, read_all
from twinvec.index.stores.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.format import Precision

__all__ = ["Previous"]


class Previous:
    """The vectors of an index that is about to be replaced, found by their texts."""

    def __init__(self, store: FolderStore, manifest: Manifest | None) -> None:
        self._store, self._manifest = store, manifest
        self._texts: NDArray[np.uint64] | None = None  # sorted
        self._order = np.empty(0, np.intp)

    @classmethod
    def open(
        cls, folder: Path, fingerprint: Mapping[str, Any], precision: Precision, dim: int
    ) -> Previous:
        """Open a folder; empty where its vectors cannot be taken over."""
        store = FolderStore(folder)
        try:
            found = Manifest.from_json(store.read([Part()])[0])
        except IndexFormatError:  # there is none, or none that could be read
            return cls(store, None)
        same = (found.fingerprint, found.precision, found.dim) == (fingerprint, precision, dim)
        return cls(store, found if same else None)

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """See `IndexWriter.find`."""
        found = np.full(len(texts), -1, np.int64)
        known = self._read()
        if not len(known):
            return found
        wanted = np.frombuffer(b"".join(map(wide_digest, texts)), "<u8").reshape(-1, 2)
        places = np.minimum(np.searchsorted(known[:, 0], wanted[:, 0]), len(known) - 1)
        same = (known[places] == wanted).all(axis=1)
        found[same] = self._order[places[same]]
        return found

    def take(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Read rows as they are stored."""
        count = len(self._read())
        if self._manifest is None or rows.max(initial=0) >= count:
            raise ValueError(f"stored: of the folder's index {count} vectors can be taken over")
        kinds = vector_kinds(self._manifest.precision)
        return {kind: self._rows(self._manifest, kind, rows) for kind in kinds}

    def _read(self) -> NDArray[np.uint64]:
        """Read the digests of the texts, and verify the vectors; nothing is of use if one fails."""
        if self._texts is None:
            try:
                texts = self._verified()
            except (IndexFormatError, IntegrityError):
                texts, self._manifest = np.empty((0, 2), np.uint64), None
            self._order = np.lexsort((texts[:, 1], texts[:, 0]))
            self._texts = texts[self._order]
        return self._texts

    def _verified(self) -> NDArray[np.uint64]:
        if self._manifest is None:
            return np.empty((0, 2), np.uint64)
        for kind in vector_kinds(self._manifest.precision):
            for shard in self._manifest.shards[kind]:
                (content,) = self._store.read([Part(shard)])
                from_npy(shard, content, kind, self._manifest.dim)
        return drive(read_all(self._manifest, "texts"), self._store)

    def _rows(self, manifest: Manifest, kind: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        shards = manifest.shards[kind]
        ends = np.cumsum([shard.rows for shard in shards])
        numbers = np.searchsorted(ends, rows, side="right")
        dtype, shape = columns(kind, manifest.dim)
        found = np.empty((len(rows), *shape), dtype)
        for number in sorted(set(numbers.tolist())):
            shard, inside = shards[number], numbers == number
            array = np.load(self._store.path / shard.file, mmap_mode="r")
            found[inside] = array[rows[inside] - (ends[number] - shard.rows)]
        return found
