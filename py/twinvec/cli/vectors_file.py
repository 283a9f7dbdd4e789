"""The `.npy` file of `twinvec embed`, which an interrupted run resumes."""

from __future__ import annotations

import hashlib
import io
import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from twinvec.errors import TwinvecError
from twinvec.files.atomic import delete_parts, open_regular, sync_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from twinvec.embedder import Embedder

TEXTS_PER_WRITE = 256  # an interruption loses at most some seconds of work


class VectorsFile:
    """A `.npy` file, float32 [count, dim], that is written row by row.

    The unfinished file is `<out>.part`. `<out>.part.json` beside it records its inputs, the number
    of rows on disk and a digest of both, so that a later run with the same inputs resumes there. If
    the digest differs, the rows are damaged, and all texts are embedded again.

    The caller holds the lock of `out`.

    Args:
        out: path of the complete file.
        shape: count and dim.
        inputs: everything that the vectors depend on, JSON-ready; a part with other inputs is
            started again.

    Example:
        >>> vectors = VectorsFile(Path("vectors.npy"), (1000, 384), {"prompt": ""})
        >>> vectors.rows
        0
    """

    def __init__(self, out: Path, shape: tuple[int, int], inputs: Mapping[str, Any]) -> None:
        self.part = out.with_name(f"{out.name}.part")
        self.rows = 0
        """Number of rows on disk."""
        self.truncated = 0
        """Number of these rows whose text was cut off."""
        self.differing: list[str] = []
        """Names of the inputs that prevent an existing part from being resumed."""
        self._out, self._shape, self._inputs = out, shape, dict(inputs)
        self._state_file = out.with_name(f"{out.name}.part.json")
        self._header = _header(shape)
        self._rows_hash = hashlib.sha256()
        delete_parts(self._state_file)
        if self.part.exists():
            if not self.part.is_file():
                raise TwinvecError(f"{self.part} is no regular file; move it away")
            self._resume()

    def fill(
        self,
        texts: Iterable[str],
        embedder: Embedder,
        prompt: str,
        progress: Callable[[int, int], object],
        *,
        texts_per_write: int = TEXTS_PER_WRITE,
    ) -> None:
        """Embed the texts of the missing rows, and rename the complete file.

        Args:
            texts: all texts, from the first on.
            embedder: the one that `inputs` describe.
            prompt: put before each text.
            progress: receives the number of rows on disk, and of all rows.
            texts_per_write: number of texts embedded between two writes.

        Raises:
            TwinvecError: there are fewer texts than rows.
            OSError: the disk is full, for example. Rows on disk stay, for another run.
        """
        count = self._shape[0]
        truncated_before = self.truncated - embedder.truncated
        missing = islice(texts, self.rows, count)
        with self._open() as stream:
            progress(self.rows, count)
            while batch := list(islice(missing, texts_per_write)):
                vectors = embedder.encode(batch, prompt=prompt).astype("<f4", copy=False)
                stream.write(vectors.data)
                self._rows_hash.update(vectors.data)
                rows = self.rows + len(batch)
                self._save_state(stream, rows, truncated_before + embedder.truncated)
                progress(rows, count)
        if self.rows != count:
            raise TwinvecError(
                f"the input changed while it was read: it had {count:,} texts, now {self.rows:,}; "
                "run the command again"
            )
        self.part.replace(self._out)
        sync_folder(self._out.parent)
        self._state_file.unlink(missing_ok=True)

    def _resume(self) -> None:
        try:
            with open_regular(self._state_file) as stream:
                state = json.load(stream)
            inputs, rows, truncated = state["made_of"], state["rows"], state["truncated"]
            keys = {**inputs, **self._inputs}
            self.differing = [key for key in keys if inputs.get(key) != self._inputs.get(key)]
            if not self.differing:
                self._verify(rows, truncated, state["sha256"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # the record is missing or damaged: the rows are written again

    def _verify(self, rows: int, truncated: int, sha256: str) -> None:
        """Read the rows on disk, and resume after them if they are those of their record."""
        if not 0 < rows <= self._shape[0] or self.part.stat().st_size < self._size(rows):
            return
        with open_regular(self.part) as stream:
            stream.seek(len(self._header))
            for _ in range(rows):
                self._rows_hash.update(stream.read(self._shape[1] * 4))
        if self._state(rows, truncated)["sha256"] == sha256:
            self.rows, self.truncated = rows, truncated
        else:
            self._rows_hash = hashlib.sha256()

    def _open(self) -> BinaryIO:
        """Open the part after its last complete row.

        Rows are appended to a plain file, not through a memory map: on a full disk the plain file
        raises an OSError, while the memory map ends the process and counts as its memory.
        """
        if not self.rows:  # state of other rows must not outlive them
            self._state_file.unlink(missing_ok=True)
        stream = self.part.open("r+b" if self.rows else "wb")
        stream.write(self._header)
        stream.seek(self._size(self.rows))
        stream.truncate()
        return stream

    def _save_state(self, stream: BinaryIO, rows: int, truncated: int) -> None:
        stream.flush()
        os.fsync(stream.fileno())
        self.rows, self.truncated = rows, truncated
        state = self._state(rows, truncated)
        write_file(self._state_file, json.dumps(state, indent=1).encode())

    def _state(self, rows: int, truncated: int) -> dict[str, Any]:
        """Return the record of rows, with a digest of the record and the rows' content."""
        state = {"made_of": self._inputs, "rows": rows, "truncated": truncated}
        hash_ = self._rows_hash.copy()
        hash_.update(json.dumps(state, sort_keys=True).encode())
        return {**state, "sha256": hash_.hexdigest()}

    def _size(self, rows: int) -> int:
        return len(self._header) + rows * self._shape[1] * 4


def _header(shape: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, fields)
    return stream.getvalue()
