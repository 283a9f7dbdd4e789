r"""The protocol of a store, and the generators that read from one.

Code that needs bytes is written once, as a generator: it yields lists of `Part`s and receives their
bytes. `drive` runs it with blocking reads, `adrive` with `await`. Nothing else in an index knows
where the bytes come from::

    def read_line(shard: Shard) -> Steps[str]:
        (content,) = yield [Part(shard, 0, 80)]
        return content.partition(b"\n")[0].decode()

    line = drive(read_line(shard), FolderStore(folder))
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from twinvec.errors import DownloadError, IndexFormatError, TwinvecError
from twinvec.index.format import DAMAGED, MANIFEST, columns
from twinvec.index.manifest import MAX_MANIFEST_BYTES, Manifest
from twinvec.index.npy import from_npy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from twinvec.index.manifest import Shard

T = TypeVar("T")
MAX_REPLACEMENTS = 100  # of an index while it is opened
MAX_EQUAL = 2  # of these by an equal one, one after another; further ones are damage
ByteProgress: TypeAlias = Callable[[int, int], object]
"""Called with the number of bytes read so far, and their total."""


@dataclass(frozen=True)
class Part:
    """A file, or its bytes from `start` to `stop`. Without a shard it is `index.json`."""

    shard: Shard | None = None
    start: int = 0
    stop: int | None = None

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.shard.file if self.shard else MANIFEST

    @property
    def max_bytes(self) -> int:
        """Number of bytes that may be read: of a shard as many as were promised."""
        if self.shard is None:
            return MAX_MANIFEST_BYTES
        return (self.shard.bytes if self.stop is None else self.stop) - self.start

    def check_size(self, size: int) -> None:
        """Check the size of the whole file, in bytes.

        Raises:
            IntegrityError: a shard's size differs from the listed one.
            IndexFormatError: `index.json` is too large for one.
        """
        if self.shard:
            self.shard.check_size(size)
        elif size > MAX_MANIFEST_BYTES:
            raise IndexFormatError(
                f"{MANIFEST} has {size} bytes, more than {MAX_MANIFEST_BYTES}. {DAMAGED}"
            )


Steps: TypeAlias = Generator[list[Part], list[bytes], T]


class Reads(Protocol):
    """Reads of the files of one index."""

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Read parts, and verify those that are whole shards.

        Raises:
            DownloadError: a file cannot be reached.
            IntegrityError: a file differs from the one listed in `index.json`.
            IndexFormatError: a file is missing or too short.
            SyncUnavailableError: Python cannot wait at this point in the browser; use `aread`.
        """

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Do the same as `read` without blocking the event loop."""


class Store(Reads, Protocol):
    """The files of one index."""

    def expect(self, total: int, hashes: Sequence[str]) -> None:
        """Start counting bytes for progress.

        Args:
            total: bytes of the whole shards that will be read.
            hashes: SHA-256 of all shards of the index; cached files with other hashes are outdated.
        """


class ByteCounter:
    """Reports the bytes of whole shards to a progress callback."""

    def __init__(self, progress: ByteProgress | None) -> None:
        self._progress = progress
        self._read = self._total = 0

    def expect(self, total: int) -> None:
        """Start at zero."""
        self._read, self._total = 0, total

    def add(self, part: Part) -> None:
        """Count a part, if it is a whole shard."""
        if self._progress and part.shard and part.stop is None and self._total:
            self._read += part.shard.bytes
            self._progress(min(self._read, self._total), self._total)


def drive(steps: Steps[T], store: Reads | None) -> T:
    """Run a generator to its end with blocking reads; without a store, reads give nothing.

    The generator receives the errors of the store, where it read.
    """
    with closing(steps):
        try:
            parts = next(steps)
            while True:
                try:
                    contents = store.read(parts) if store else []
                except TwinvecError as err:
                    parts = steps.throw(err)
                else:
                    parts = steps.send(contents)
        except StopIteration as end:
            result: T = end.value
            return result


async def adrive(steps: Steps[T], store: Reads | None) -> T:
    """Do the same as `drive` without blocking the event loop."""
    with closing(steps):
        try:
            parts = next(steps)
            while True:
                try:
                    contents = await store.aread(parts) if store else []
                except TwinvecError as err:
                    parts = steps.throw(err)
                else:
                    parts = steps.send(contents)
        except StopIteration as end:
            result: T = end.value
            return result


def read_all(manifest: Manifest, kind: str) -> Steps[NDArray[Any]]:
    """Read all shards of a kind into one array, a shard at a time."""
    shards = manifest.shards[kind]
    dtype, shape = columns(kind, manifest.dim)
    rows = sum(shard.rows for shard in shards)
    try:
        array = np.empty((rows, *shape), dtype)
    except (MemoryError, ValueError) as err:
        raise IndexFormatError(f"{rows:,} {kind} do not fit into memory. {DAMAGED}") from err
    start = 0
    for shard in shards:
        (content,) = yield [Part(shard)]
        array[start : start + shard.rows] = from_npy(shard, content, kind, manifest.dim)
        start += shard.rows
    return array


def read_whole(steps_of: Callable[[Manifest], Steps[T]]) -> Steps[T]:
    """Read `index.json` and then its files, from the beginning if it was replaced in between.

    Args:
        steps_of: reads the files of a manifest.
    """
    (content,) = yield [Part()]
    equal_replacements = 0
    for _ in range(MAX_REPLACEMENTS):
        try:
            return (yield from steps_of(Manifest.from_json(content)))
        except (IndexFormatError, DownloadError) as err:
            before, (content,) = content, (yield [Part()])
            # It may have been replaced twice, and be equal again. A download is not repeated.
            equal_replacements = equal_replacements + 1 if content == before else 0
            if equal_replacements > (0 if isinstance(err, DownloadError) else MAX_EQUAL):
                raise
    raise IndexFormatError(f"{MANIFEST} was replaced {MAX_REPLACEMENTS} times while it was read")
