"""The vectors of the index that a folder holds, so that unchanged texts are not encoded again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError, IntegrityError
from twinvec.index.format import columns, vector_kinds
from twinvec.index.manifest import Manifest
from twinvec.index.npy import from_npy
from twinvec.index.stores.base import Part, drive, read_all
from twinvec.index.stores.folder import FolderStore
from twinvec.index.writing.text_rows import TextRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.format import Precision


class PresentIndex:
    """The index that a folder holds, about to be replaced; its vectors are found by their texts.

    Without a readable index of these properties no text is found.

    Args:
        folder: of the index; read when a text is looked up for the first time.
        fingerprint: that the index must have.
        precision: that the index must have.
        dim: that the index must have.
    """

    def __init__(
        self, folder: Path, fingerprint: Mapping[str, Any], precision: Precision, dim: int
    ) -> None:
        self._store = FolderStore(folder)
        self._properties = dict(fingerprint), precision, dim
        self._manifest: Manifest | None = None
        self._texts: TextRows | None = None

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each text; see `IndexWriter.find`."""
        return self._rows().find(texts)

    def take(self, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Read rows as they are stored, by kind of shard."""
        count = len(self._rows())
        if self._manifest is None or rows.max(initial=0) >= count:
            raise ValueError(f"stored: the folder's index has {count} vectors that can be reused")
        kinds = vector_kinds(self._manifest.precision)
        return {kind: self._read(self._manifest, kind, rows) for kind in kinds}

    def _rows(self) -> TextRows:
        """Verify the vectors and read the texts' digests; one damaged file makes all unusable."""
        if self._texts is None:
            try:
                digests = self._verified_digests()
            except (IndexFormatError, IntegrityError):
                digests, self._manifest = np.empty((0, 2), np.uint64), None
            self._texts = TextRows(digests)
        return self._texts

    def _verified_digests(self) -> NDArray[np.uint64]:
        manifest = Manifest.from_json(self._store.read([Part()])[0])
        if (manifest.fingerprint, manifest.precision, manifest.dim) != self._properties:
            return np.empty((0, 2), np.uint64)
        for kind in vector_kinds(manifest.precision):
            for shard in manifest.shards[kind]:
                (content,) = self._store.read([Part(shard)])
                from_npy(shard, content, kind, manifest.dim)
        self._manifest = manifest
        return drive(read_all(manifest, "texts"), self._store)

    def _read(self, manifest: Manifest, kind: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows from the shards of a kind, which are mapped into memory."""
        shards = manifest.shards[kind]
        ends = np.cumsum([shard.rows for shard in shards])
        numbers = np.searchsorted(ends, rows, side="right")
        dtype, shape = columns(kind, manifest.dim)
        gathered = np.empty((len(rows), *shape), dtype)
        for number in sorted(set(numbers.tolist())):
            shard, inside = shards[number], numbers == number
            array = np.load(self._store.path / shard.file, mmap_mode="r")
            gathered[inside] = array[rows[inside] - (ends[number] - shard.rows)]
        return gathered
