"""The vectors of a run that is not finished, so that another run need not make them again."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

__all__ = ["Journal"]

_MAGIC = b"twinvec journal\n"
_HEADER = len(_MAGIC) + 32  # bytes: behind it the SHA-256 of the fingerprint


class Journal:
    """A file of digests and vectors, appended to while they are made.

    A run of another fingerprint starts it anew. What a crash cut off at its end is ignored.

    Args:
        file: where it is, or will be with the first vector.
        fingerprint: `Embedder.fingerprint` of what makes the vectors.
        dim: theirs.

    Raises:
        TwinvecError: the file is another program's.
    """

    def __init__(self, file: Path, fingerprint: Mapping[str, Any], dim: int) -> None:
        self._file = file
        self._row = np.dtype([("digest", "V16"), ("vector", "<f4", (dim,))])
        block = json.dumps(fingerprint, sort_keys=True).encode()
        self._header = _MAGIC + hashlib.sha256(block).digest()
        self._stream: BinaryIO | None = None
        self.reread()

    def __contains__(self, digest: bytes) -> bool:
        """Tell whether this text's vector was there when the journal was opened, or read again."""
        return digest in self._rows

    def __getitem__(self, digest: bytes) -> NDArray[np.float32]:
        """Give it, float32 [dim]."""
        vector: NDArray[np.float32] = self._kept[self._rows[digest]]["vector"]
        return vector

    def append(self, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Note vectors, float32 [len(digests), dim]."""
        self._stream = self._stream or self._opened()
        rows = np.empty(len(digests), self._row)
        rows["digest"] = [np.void(digest) for digest in digests]
        rows["vector"] = vectors
        self._stream.write(rows.tobytes())
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def reread(self) -> None:
        """Take up what was appended since."""
        self._kept = self._read()
        self._rows = {bytes(digest): row for row, digest in enumerate(self._kept["digest"])}

    def close(self) -> None:
        """Keep it for another run."""
        if self._stream:
            self._stream.close()

    def discard(self) -> None:
        """Delete it: the vectors are where they belong."""
        self.close()
        self._kept = np.empty(0, self._row)  # unmapped, as Windows needs it
        self._file.unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        stream = self._file.open("r+b" if len(self._kept) else "wb")
        stream.write(self._header)
        stream.seek(_HEADER + len(self._kept) * self._row.itemsize)
        stream.truncate()
        return stream

    def _read(self) -> NDArray[np.void]:
        try:
            with self._file.open("rb") as stream:
                header = stream.read(_HEADER)
        except FileNotFoundError:
            header = b""
        if not _MAGIC.startswith(header[: len(_MAGIC)]):
            raise TwinvecError(
                f"{self._file} is another program's, and vectors are kept there until an index is "
                "complete; move it away, or choose another folder for the index"
            )
        if header == self._header:
            rows = (self._file.stat().st_size - _HEADER) // self._row.itemsize
            if rows:
                return np.memmap(self._file, self._row, "r", _HEADER, (rows,))
        return np.empty(0, self._row)
