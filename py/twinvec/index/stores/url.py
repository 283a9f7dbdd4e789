"""An index on a web server, read by CPython."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from twinvec.download import GRACE_SECONDS, in_time, open_url
from twinvec.errors import DownloadError, IntegrityError
from twinvec.index.format import DAMAGED
from twinvec.index.stores.base import ByteCounter, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinvec.index.stores.base import ByteProgress

CONCURRENT_REQUESTS = 6  # as many as browsers allow
CACHED_SHARDS = 4  # of a server that sends whole files
READ_BYTES = 1 << 16


class UrlStore:
    """A folder on a web server.

    If the server answers a range request with the whole file, that file is verified, and the last
    few are cached in memory.

    Args:
        url: address of the folder.
        progress: called with the bytes of whole shards read so far, and their total.
        grace_seconds: time that a request may take in addition to the time of its bytes; see
            `download.in_time`.
    """

    def __init__(
        self,
        url: str,
        progress: ByteProgress | None = None,
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._url = url.rstrip("/") + "/"
        self._grace_seconds = grace_seconds
        self._counter = ByteCounter(progress)
        self._cache: dict[str, bytes] = {}

    def expect(self, total: int, hashes: Sequence[str]) -> None:  # noqa: ARG002 (never outdated)
        """Start counting bytes; see `Store.expect`."""
        self._counter.expect(total)

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Send several requests at once; see `Store.read`."""
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            return list(pool.map(self._read, parts))

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Do the same in a thread."""
        return await asyncio.to_thread(self.read, parts)

    def _read(self, part: Part) -> bytes:
        shard = part.shard
        if shard is None or part.stop is None:
            _, content = self._get(part)
            _check_whole(part, content)
            self._counter.add(part)
            return content
        whole = self._cache.get(shard.file)
        if whole is None:
            status, content = self._get(part, f"bytes={part.start}-{part.stop - 1}")
            if status == 206 and len(content) == part.max_bytes:
                return content
            whole = content if status == 200 else self._get(Part(shard))[1]
            _check_whole(Part(shard), whole)
            self._cache[shard.file] = whole
            for oldest in list(self._cache)[:-CACHED_SHARDS]:
                self._cache.pop(oldest, None)
        return whole[part.start : part.stop]

    def _get(self, part: Part, byte_range: str | None = None) -> tuple[int, bytes]:
        """Request a file; return the status, and at most one byte more than was promised."""
        # Imported here, since Pyodide would pay for it at start-up.
        from http.client import HTTPException
        from urllib.error import HTTPError

        url = self._url + part.file
        try:
            sizes = part.max_bytes, Part(part.shard).max_bytes
            request = partial(_request, url, byte_range, sizes, self._grace_seconds)
            return in_time(request, self._grace_seconds)
        except HTTPError as err:
            if err.code == 416:  # the file is too short: read the whole file, to report its hash
                return err.code, b""
            raise DownloadError(
                f"{url}: the server answered {err.code}; check that the whole index folder was "
                "uploaded"
            ) from err
        except (OSError, HTTPException) as err:
            raise DownloadError(
                f"{url} cannot be reached ({err}); check the address and the connection"
            ) from err


def _request(
    url: str,
    byte_range: str | None,
    sizes: tuple[int, int],
    timeout_seconds: float,
    count: Callable[[int], None],
) -> tuple[int, bytes]:
    """Request a URL.

    Args:
        url: of the file.
        byte_range: as in HTTP; None for the whole file.
        sizes: promised size of the range, and of the whole file.
        timeout_seconds: between two bytes.
        count: called with each number of bytes received.
    """
    from urllib.request import Request  # as above

    body = bytearray()
    headers = {"Range": byte_range} if byte_range else {}
    with open_url(Request(url, headers=headers), timeout_seconds) as response:
        max_bytes = sizes[0] if response.status == 206 else sizes[1]
        while chunk := response.read1(min(READ_BYTES, max_bytes + 1 - len(body))):
            count(len(chunk))
            body += chunk
        return response.status, bytes(body)


def _check_whole(part: Part, content: bytes) -> None:
    """Check the whole content of a file."""
    if part.shard is None:
        part.check_size(len(content))
    elif len(content) > part.shard.bytes:  # no more was read
        sizes = f"{part.shard.bytes} bytes", f"more than {part.shard.bytes} bytes"
        raise IntegrityError(part.file, *sizes, DAMAGED)
    else:
        part.shard.check(content)
