"""Write the files of an index: shards of bounded size, and the replacement of one index by another.

What is written lies beside what is there, under names that no older file has; `commit` replaces
`index.json` in one step and only then deletes what it no longer lists. So at every moment the
folder holds one whole index, the old one or the new one.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError
from twinvec.index.format import MANIFEST, OWN_NAME, Manifest, Shard, columns, row_bytes, to_npy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LinesWriter", "TableWriter", "commit", "discard", "listed", "write_array"]

_SHARD = 1 << 24  # bytes; what is loaded whole
_DOCUMENTS = 1 << 22  # bytes; a server without ranges sends it whole for one line


class TableWriter:
    """Shards of one kind of array, written as rows come."""

    def __init__(self, folder: Path, kind: str, dim: int) -> None:
        self.shards: list[Shard] = []
        self._folder, self._kind = folder, kind
        self._dtype, self._shape = columns(kind, dim)
        self._rows = max(1, _SHARD // row_bytes(kind, dim))
        self._waiting: list[NDArray[Any]] = []
        self._count = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; their array must not change afterwards."""
        self._waiting.append(rows)
        self._count += len(rows)
        while self._count >= self._rows:
            self._write(self._rows)

    def close(self) -> list[Shard]:
        """Write what is left."""
        if self._count or not self.shards:
            self._write(self._count)
        return self.shards

    def _write(self, count: int) -> None:
        none = np.empty((0, *self._shape), self._dtype)
        rows = np.concatenate([none, *self._waiting], dtype=self._dtype, casting="same_kind")
        self._waiting = [rows[count:].copy()]
        self._count -= count
        self.shards.append(write_array(self._folder, self._kind, rows[:count]))


class LinesWriter:
    """Shards of documents, written as lines come."""

    def __init__(self, folder: Path) -> None:
        self.shards: list[Shard] = []
        self._folder = folder
        self._content = bytearray()
        self._rows = 0

    def append(self, line: bytes) -> int:
        """Add a line; tell where it begins in its shard."""
        if self._rows and len(self._content) + len(line) >= _DOCUMENTS:
            self._write()
        start = len(self._content)
        self._content += line + b"\n"
        self._rows += 1
        return start

    def close(self) -> list[Shard]:
        """Write what is left."""
        if self._rows or not self.shards:
            self._write()
        return self.shards

    def _write(self) -> None:
        content = bytes(self._content)
        self.shards.append(_write(self._folder, "documents", "jsonl", content, self._rows))
        self._content, self._rows = bytearray(), 0


def listed(folder: Path) -> set[str]:
    """Name the files that the folder's index has; none where there is no index."""
    try:
        manifest = Manifest.from_json((folder / MANIFEST).read_bytes())
    except (OSError, IndexFormatError):
        return set()
    return _files(manifest.shards)


def commit(folder: Path, manifest: Manifest) -> None:
    """Make what was written the folder's index, and delete what is no longer of it."""
    _replace(folder / MANIFEST, manifest.to_json())
    discard(folder, _files(manifest.shards))


def discard(folder: Path, kept: set[str]) -> None:
    """Delete the shards that are not among these, and what an earlier crash left."""
    for file in folder.iterdir():
        name = file.name.removesuffix(".part")
        if OWN_NAME.fullmatch(name) and file.name not in kept:
            file.unlink(missing_ok=True)


def _files(shards: Mapping[str, list[Shard]]) -> set[str]:
    return {shard.file for some in shards.values() for shard in some}


def write_array(folder: Path, kind: str, rows: NDArray[Any]) -> Shard:
    """Write one shard of an array."""
    return _write(folder, kind, "npy", to_npy(rows), len(rows))


def _write(folder: Path, kind: str, suffix: str, content: bytes, rows: int) -> Shard:
    sha256 = hashlib.sha256(content).hexdigest()
    shard = Shard(f"{kind}-{sha256[:16]}.{suffix}", rows, len(content), sha256)
    _replace(folder / shard.file, content)
    return shard


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole, or not at all."""
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
