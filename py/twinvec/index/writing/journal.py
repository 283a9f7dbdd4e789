"""The vectors of an unfinished run, kept on disk for the next run."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import TwinvecError
from twinvec.files.atomic import open_regular
from twinvec.index.format import digest
from twinvec.index.writing.text_rows import TextRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

_MAGIC = b"twinvec journal\n"
_LAYOUT = b"digest, vector, check\n"
HEADER_BYTES = len(_MAGIC) + 32  # the magic, then the SHA-256 of layout and fingerprint


class Journal:
    """A file of wide digests and vectors, appended to while texts are encoded.

    Each row has a digest. A damaged row, or an incomplete one at the end, is not found, so that its
    text is encoded again. A file with another fingerprint is overwritten.

    Args:
        file: created with the first vectors.
        fingerprint: `Embedder.fingerprint` of the embedder that computes the vectors.
        dim: length of a vector.

    Raises:
        TwinvecError: the file exists, and twinvec did not write it, or it cannot be read.
    """

    def __init__(self, file: Path, fingerprint: Mapping[str, Any], dim: int) -> None:
        self._file = file
        self._row = np.dtype([("digest", "V16"), ("vector", "<f4", (dim,)), ("check", "<u8")])
        canonical = json.dumps(fingerprint, sort_keys=True).encode()
        self._header = _MAGIC + hashlib.sha256(_LAYOUT + canonical).digest()
        self._stream: BinaryIO | None = None
        self.reread()

    def find(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each text, as of opening or the last `reread`; -1 for an unknown text."""
        return self._texts.find(texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, float32 [len(texts), dim].

        Raises:
            KeyError: a text's vector is missing.
        """
        rows = self.find(texts)
        if (rows < 0).any():
            raise KeyError(f"no vector of the text {texts[int(np.argmin(rows))]!r}")
        vectors: NDArray[np.float32] = self._rows["vector"][self._whole[rows]]
        return vectors

    def append(self, digests: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Write vectors, float32 [len(digests), dim], to the disk."""
        self._stream = self._stream or self._open()
        rows = np.empty(len(digests), self._row)
        rows["digest"] = [np.void(digest) for digest in digests]
        rows["vector"] = vectors
        rows["check"] = [self._check(row) for row in rows]
        self._stream.write(rows.tobytes())
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def reread(self) -> None:
        """Make rows that were appended available to `find` and `vectors`."""
        self._rows = self._read()
        checks = np.fromiter(map(self._check, self._rows), np.uint64, len(self._rows))
        self._whole = np.flatnonzero(checks == self._rows["check"])
        digests = np.ascontiguousarray(self._rows["digest"][self._whole]).view("<u8").reshape(-1, 2)
        self._texts = TextRows(digests)

    def _check(self, row: np.void) -> int:
        """Compute the digest of a row."""
        return digest(row.tobytes()[:-8])

    def close(self) -> None:
        """Close the file, for another run to continue."""
        if self._stream:
            self._stream.close()

    def discard(self) -> None:
        """Delete the file, once the vectors are in an index."""
        self.close()
        self._rows = np.empty(0, self._row)  # unmapped, as Windows requires
        self._file.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        """Open the file for appending after its last complete row."""
        stream = self._file.open("r+b" if len(self._rows) else "wb")
        stream.write(self._header)
        stream.seek(HEADER_BYTES + len(self._rows) * self._row.itemsize)
        stream.truncate()
        return stream

    def _read(self) -> NDArray[np.void]:
        """Map the complete rows into memory."""
        try:
            with open_regular(self._file) as stream:
                header = stream.read(HEADER_BYTES)
        except FileNotFoundError:
            header = b""
        except OSError as err:
            raise TwinvecError(
                f"{self._file} cannot be read ({err.strerror}); move it away, or choose another "
                "folder for the index"
            ) from err
        if not _MAGIC.startswith(header[: len(_MAGIC)]):
            raise TwinvecError(
                f"{self._file} was not written by twinvec, which keeps vectors there until the "
                "index is complete; move the file away, or choose another folder for the index"
            )
        if header == self._header:
            rows = (self._file.stat().st_size - HEADER_BYTES) // self._row.itemsize
            if rows:
                return np.memmap(self._file, self._row, "r", HEADER_BYTES, (rows,))
        return np.empty(0, self._row)
