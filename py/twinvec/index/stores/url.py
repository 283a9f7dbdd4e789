"""An index on a web server, read by CPython."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from twinvec.errors import DownloadError
from twinvec.index.stores.base import ByteCounter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.index.stores.base import ByteProgress, Part

TIMEOUT_SECONDS = 30.0
CONCURRENT_REQUESTS = 6  # as many as browsers allow
CACHED_SHARDS = 4  # of a server that sends whole files


class UrlStore:
    """A folder on a web server.

    If the server answers a range request with the whole file, that file is verified, and the last
    few are cached in memory.

    Args:
        url: address of the folder.
        progress: called with the bytes of whole shards read so far, and their total.
    """

    def __init__(self, url: str, progress: ByteProgress | None = None) -> None:
        self._url = url.rstrip("/") + "/"
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
            _, content = self._get(part.file)
            if shard:
                shard.check(content)
                self._counter.add(part)
            return content
        whole = self._cache.get(shard.file)
        if whole is None:
            status, content = self._get(shard.file, f"bytes={part.start}-{part.stop - 1}")
            if status == 206 and len(content) == part.stop - part.start:
                return content
            whole = content if status == 200 else self._get(shard.file)[1]
            shard.check(whole)
            self._cache[shard.file] = whole
            for oldest in list(self._cache)[:-CACHED_SHARDS]:
                self._cache.pop(oldest, None)
        return whole[part.start : part.stop]

    def _get(self, file: str, byte_range: str | None = None) -> tuple[int, bytes]:
        """Request a file; return the status and the body."""
        # Imported here, since Pyodide would pay for it at start-up.
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        request = Request(self._url + file, headers={"Range": byte_range} if byte_range else {})
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                return response.status, response.read()
        except HTTPError as err:
            if err.code == 416:  # the file is too short: read the whole file, to report its hash
                return self._get(file)
            raise DownloadError(
                f"{self._url}{file}: the server answered {err.code}; check that the whole index "
                "folder was uploaded"
            ) from err
        except (OSError, HTTPException) as err:
            raise DownloadError(
                f"{self._url}{file} cannot be reached ({err}); check the address and the connection"
            ) from err
