"""An index on a server or kept by the browser, read through JavaScript; in Pyodide only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from twinvec.errors import DownloadError, IndexFormatError, IntegrityError, StorageError
from twinvec.index.format import DAMAGED
from twinvec.runtime.pyodide import check_can_wait, js_callback, js_value, page_host, wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.index.stores.base import ByteProgress, Part


ERRORS = {error.__name__: error for error in (IndexFormatError, StorageError)}
"""Errors that JavaScript names; any other one is a `DownloadError`."""


class BrowserStore:
    """The files of an index, which JavaScript fetches and caches.

    JavaScript verifies whole shards where it can compute SHA-256; otherwise they are verified here.

    Args:
        url: address of a folder, or `stored:` and the name of an index kept in the browser.
        progress: called with the bytes of whole shards read so far, and their total.
    """

    def __init__(self, url: str, progress: ByteProgress | None = None) -> None:
        self._js_folder = page_host().openFolder(url, js_callback(progress))

    def expect(self, total: int, hashes: Sequence[str]) -> None:
        """Start counting bytes; see `Store.expect`."""
        self._js_folder.expect(total, js_value(hashes))

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Suspend WebAssembly until all parts are read; see `Store.read`."""
        check_can_wait("await index.asearch(...)")
        return self._contents(parts, wait(self._start(parts)))

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Read without blocking the event loop."""
        return self._contents(parts, await self._start(parts))

    def _start(self, parts: Sequence[Part]) -> Any:
        return self._js_folder.read(js_value([asdict(part) for part in parts]))

    def _contents(self, parts: Sequence[Part], js_answer: Any) -> list[bytes]:
        if hasattr(js_answer, "error"):
            error = js_answer.error.to_py()
            if error["name"] == "IntegrityError":
                raise IntegrityError(error["file"], error["expected"], error["found"], DAMAGED)
            raise ERRORS.get(error["name"], DownloadError)(error["message"])
        contents = [js_content.to_bytes() for js_content in js_answer]
        if not self._js_folder.verifies:
            for part, content in zip(parts, contents, strict=True):
                if part.shard and part.stop is None:
                    part.shard.check(content)
        return contents
