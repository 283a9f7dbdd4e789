"""A `.npy` file of vectors, written as they are made, and continued where a run was ended."""

from __future__ import annotations

import io
import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from twinvec.embedder import Embedder

CHUNK = 256  # texts embedded between two writes: at most some seconds of work are lost


class VectorsFile:
    """A `.npy` file in the making, float32 [count, dim], filled from the first row on.

    Until it is complete it is called `<out>.part`, and `<out>.part.json` beside it notes what it is
    made of and how many rows are on the disk, so that the same work goes on where it was ended.

    Args:
        out: where the complete file is put.
        shape: count and dim.
        made_of: what decides on the vectors, JSON-ready: a part made of anything else starts anew.
    """

    def __init__(self, out: Path, shape: tuple[int, int], made_of: Mapping[str, Any]) -> None:
        self.part = out.with_name(f"{out.name}.part")
        self.rows = 0
        self.truncated = 0  # texts among these rows that lost their tail
        self.differing: list[str] = []  # why a part that is there cannot be continued
        self._out, self._shape, self._made_of = out, shape, dict(made_of)
        self._note = out.with_name(f"{out.name}.part.json")
        self._header = _header(shape)
        if self.part.exists():
            self._take_up()

    def fill(self, texts: Iterable[str], embedder: Embedder, prompt: str) -> None:
        """Embed the texts whose rows are missing, show progress, and give the file its name.

        Args:
            texts: all of them, from the first on.
            embedder: the one that `made_of` tells of.
            prompt: put before every text.

        Raises:
            TwinvecError: there are fewer texts than rows.
            OSError: the disk is full, or the like. What was written is kept, for another run.
        """
        from tqdm.auto import tqdm

        count = self._shape[0]
        before = self.truncated - embedder.truncated
        missing = islice(texts, self.rows, count)
        with self._open() as stream, tqdm(total=count, initial=self.rows, unit=" texts") as bar:
            while chunk := list(islice(missing, CHUNK)):
                stream.write(embedder.encode(chunk, prompt=prompt).astype("<f4", copy=False).data)
                self._commit(stream, self.rows + len(chunk), before + embedder.truncated)
                bar.update(len(chunk))
        if self.rows != count:
            raise TwinvecError(
                f"the input changed while it was read: it had {count:,} texts, now {self.rows:,}; "
                "run the command again"
            )
        self.part.replace(self._out)
        self._note.unlink(missing_ok=True)

    def _take_up(self) -> None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            note = {}
        made_of, rows = note.get("made_of", {}), note.get("rows", 0)
        keys = {**made_of, **self._made_of}
        self.differing = [key for key in keys if made_of.get(key) != self._made_of.get(key)]
        if not self.differing and self.part.stat().st_size >= self._size(rows):
            self.rows, self.truncated = rows, note["truncated"]

    def _open(self) -> BinaryIO:
        """Open the part behind its last complete row.

        Rows are appended to a plain file, not through a memory map: on a full disk the first
        raises an OSError, the second ends the process; and no pages count as this one's memory.
        """
        if not self.rows:  # a note of other work must not outlive the rows that it tells of
            self._note.unlink(missing_ok=True)
        stream = self.part.open("r+b" if self.rows else "wb")
        stream.write(self._header)
        stream.seek(self._size(self.rows))
        stream.truncate()
        return stream

    def _commit(self, stream: BinaryIO, rows: int, truncated: int) -> None:
        stream.flush()
        os.fsync(stream.fileno())
        self.rows, self.truncated = rows, truncated
        note = {"made_of": self._made_of, "rows": rows, "truncated": truncated}
        new = self._note.with_suffix(".new")
        new.write_text(json.dumps(note, indent=1), encoding="utf-8")
        new.replace(self._note)

    def _size(self, rows: int) -> int:
        return len(self._header) + rows * self._shape[1] * 4


def _header(shape: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    block = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, block)
    return stream.getvalue()
