"""The `.npy` file of `twinvec embed`, which an interrupted run resumes."""

from __future__ import annotations

import io
import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from twinvec.embedder import Embedder

TEXTS_PER_WRITE = 256  # an interruption loses at most some seconds of work


class VectorsFile:
    """A `.npy` file, float32 [count, dim], that is written row by row.

    The unfinished file is `<out>.part`. `<out>.part.json` beside it records its inputs and the
    number of rows on disk, so that a later run with the same inputs resumes there.

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
        if self.part.exists():
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
                vectors = embedder.encode(batch, prompt=prompt)
                stream.write(vectors.astype("<f4", copy=False).data)
                rows = self.rows + len(batch)
                self._save_state(stream, rows, truncated_before + embedder.truncated)
                progress(rows, count)
        if self.rows != count:
            raise TwinvecError(
                f"the input changed while it was read: it had {count:,} texts, now {self.rows:,}; "
                "run the command again"
            )
        self.part.replace(self._out)
        self._state_file.unlink(missing_ok=True)

    def _resume(self) -> None:
        try:
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            state = {}
        inputs, rows = state.get("made_of", {}), state.get("rows", 0)
        keys = {**inputs, **self._inputs}
        self.differing = [key for key in keys if inputs.get(key) != self._inputs.get(key)]
        if not self.differing and self.part.stat().st_size >= self._size(rows):
            self.rows, self.truncated = rows, state["truncated"]

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
        state = {"made_of": self._inputs, "rows": rows, "truncated": truncated}
        new_file = self._state_file.with_suffix(".new")
        new_file.write_text(json.dumps(state, indent=1), encoding="utf-8")
        new_file.replace(self._state_file)

    def _size(self, rows: int) -> int:
        return len(self._header) + rows * self._shape[1] * 4


def _header(shape: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, fields)
    return stream.getvalue()
