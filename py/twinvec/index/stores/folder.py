"""An index in a folder on disk."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from twinvec.errors import IndexFormatError
from twinvec.files.atomic import open_regular
from twinvec.index.format import DAMAGED
from twinvec.index.stores.base import ByteCounter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twinvec.index.stores.base import ByteProgress, Part


class FolderStore:
    """The files in a folder.

    Args:
        path: the folder.
        progress: called with the bytes of whole shards read so far, and their total.
    """

    def __init__(self, path: Path, progress: ByteProgress | None = None) -> None:
        self.path = path
        self._counter = ByteCounter(progress)

    def expect(self, total: int, hashes: Sequence[str]) -> None:  # noqa: ARG002 (nothing is cached)
        """Start counting bytes; see `Store.expect`."""
        self._counter.expect(total)

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Read from disk; see `Store.read`."""
        contents = []
        for part in parts:
            content = self._read(part)
            if part.stop is None and part.shard:
                part.shard.check(content)
                self._counter.add(part)
            contents.append(content)
        return contents

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Read from disk without a thread: to start one takes longer than to read a few lines."""
        return self.read(parts)

    def _read(self, part: Part) -> bytes:
        try:
            with open_regular(self.path / part.file) as stream:
                return self._read_from(stream, os.fstat(stream.fileno()).st_size, part)
        except OSError as err:
            advice = DAMAGED if part.shard else "Check that an index was saved to this folder."
            raise IndexFormatError(
                f"{self.path / part.file} cannot be read ({err.strerror}). {advice}"
            ) from err

    def _read_from(self, stream: IO[bytes], size: int, part: Part) -> bytes:
        """Compare a file's size with the promised one before its bytes take memory."""
        part.check_size(size)
        stream.seek(part.start)
        stop = size if part.stop is None else part.stop
        return stream.read(stop - part.start)
