"""Where an index's files are read from: a folder, or a URL; in the browser, JavaScript's fetch.

What needs bytes is written once, as a generator that yields lists of `Part`s and receives their
bytes; `drive` and `adrive` run it. Nothing else of an index knows what it is read from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from twinvec.errors import DownloadError, IndexFormatError
from twinvec.index.format import DAMAGED, MANIFEST, columns, from_npy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.format import Manifest, Shard

__all__ = [
    "FolderStore",
    "Part",
    "Progress",
    "Steps",
    "Store",
    "UrlStore",
    "adrive",
    "drive",
    "read_all",
]

T = TypeVar("T")
Progress: TypeAlias = Callable[[int, int], object]
_TIMEOUT = 30.0  # seconds without an answer
_AT_ONCE = 6  # requests, as browsers do
_KEPT = 4  # whole shards, of a server without ranges


@dataclass(frozen=True)
class Part:
    """A whole file, or `start` to `stop` of one; of `index.json` no shard is known."""

    shard: Shard | None = None
    start: int = 0
    stop: int | None = None

    @property
    def file(self) -> str:
        """The file's name."""
        return self.shard.file if self.shard else MANIFEST


Steps: TypeAlias = Generator[list[Part], list[bytes], T]


class Store(Protocol):
    """An index's files."""

    def expect(self, total: int, hashes: Sequence[str]) -> None:
        """Begin to count bytes for progress.

        Args:
            total: of the whole shards that will be asked for.
            hashes: SHA-256 of all shards; what is kept of others is out of date.
        """

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Read parts; whole shards are verified.

        Raises:
            DownloadError: a file cannot be reached.
            IntegrityError: a file is not the one that `index.json` lists.
            IndexFormatError: a file is not there, or too short.
            SyncUnavailableError: in the browser, where it cannot wait; use the async twin.
        """

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Do what `read` does without blocking the event loop."""


def drive(steps: Steps[T], store: Store | None) -> T:
    """Run to the end, reading what is asked for."""
    with closing(steps):
        try:
            parts = next(steps)
            while True:
                parts = steps.send(store.read(parts) if store else [])
        except StopIteration as end:
            result: T = end.value
            return result


async def adrive(steps: Steps[T], store: Store | None) -> T:
    """Do what `drive` does without blocking the event loop."""
    with closing(steps):
        try:
            parts = next(steps)
            while True:
                parts = steps.send(await store.aread(parts) if store else [])
        except StopIteration as end:
            result: T = end.value
            return result


def read_all(manifest: Manifest, kind: str) -> Steps[NDArray[Any]]:
    """Read all shards of a kind into one array, one after the other."""
    shards = manifest.shards[kind]
    dtype, shape = columns(kind, manifest.dim)
    array = np.empty((sum(shard.rows for shard in shards), *shape), dtype)
    start = 0
    for shard in shards:
        (content,) = yield [Part(shard)]
        array[start : start + shard.rows] = from_npy(shard, content, kind, manifest.dim)
        start += shard.rows
    return array


class _Counted:
    """What both native stores share: progress."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._loaded = self._total = 0

    def expect(self, total: int, hashes: Sequence[str]) -> None:  # noqa: ARG002 (nothing is kept)
        """Begin to count; see `Store.expect`."""
        self._loaded, self._total = 0, total

    def _count(self, part: Part) -> None:
        if self._progress and part.shard and part.stop is None and self._total:
            self._loaded += part.shard.bytes
            self._progress(min(self._loaded, self._total), self._total)


class FolderStore(_Counted):
    """A folder on this machine."""

    def __init__(self, folder: Path, progress: Progress | None = None) -> None:
        super().__init__(progress)
        self.folder = folder

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Read from disk; see `Store.read`."""
        return [self._read(part) for part in parts]

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Read from disk: a few lines take less time than a thread."""
        return self.read(parts)

    def _read(self, part: Part) -> bytes:
        try:
            with (self.folder / part.file).open("rb") as stream:
                stream.seek(part.start)
                content = stream.read(-1 if part.stop is None else part.stop - part.start)
        except OSError as err:
            way_out = DAMAGED if part.shard else "Is it the folder that an index was saved to?"
            raise IndexFormatError(
                f"{self.folder / part.file} cannot be read ({err.strerror}). {way_out}"
            ) from err
        if part.stop is None and part.shard:
            part.shard.check(content)
            self._count(part)
        return content


class UrlStore(_Counted):
    """A folder on a web server, for CPython.

    Where the server answers a range with the whole file, the file is verified, and the last few
    are kept in memory.
    """

    def __init__(self, url: str, progress: Progress | None = None) -> None:
        super().__init__(progress)
        self._url = url.rstrip("/") + "/"
        self._whole: dict[str, bytes] = {}

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Ask for several at once; see `Store.read`."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._read, parts))

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Do so in a thread."""
        return await asyncio.to_thread(self.read, parts)

    def _read(self, part: Part) -> bytes:
        shard = part.shard
        if shard is None or part.stop is None:
            _, content = self._get(part.file)
            if shard:
                shard.check(content)
                self._count(part)
            return content
        whole = self._whole.get(shard.file)
        if whole is None:
            status, content = self._get(shard.file, f"bytes={part.start}-{part.stop - 1}")
            if status == 206 and len(content) == part.stop - part.start:
                return content
            whole = content if status == 200 else self._get(shard.file)[1]
            shard.check(whole)
            self._whole[shard.file] = whole
            for old in list(self._whole)[:-_KEPT]:
                self._whole.pop(old, None)
        return whole[part.start : part.stop]

    def _get(self, file: str, byte_range: str | None = None) -> tuple[int, bytes]:
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        headers = {"Range": byte_range} if byte_range else {}
        try:
            with urlopen(Request(self._url + file, headers=headers), timeout=_TIMEOUT) as response:
                return response.status, response.read()
        except HTTPError as err:
            if err.code == 416:  # the file is shorter than it should be: told by its hash
                return self._get(file)
            raise DownloadError(
                f"{self._url}{file}: the server answered {err.code}; is the whole folder that was "
                "built on the server?"
            ) from err
        except (OSError, HTTPException) as err:
            raise DownloadError(
                f"{self._url}{file} cannot be reached ({err}); check the address and the connection"
            ) from err
