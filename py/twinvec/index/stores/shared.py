"""One request for a part that many searches need at the same moment."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock, get_ident
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinvec.index.stores.base import Part, Store

Content: TypeAlias = "Future[bytes | None]"
"""Of a part; None if its reader was cancelled."""


class _Request(NamedTuple):
    content: Content
    thread: int


class SharedReads:
    """The reads of a store. A part that is being read already is not read again.

    The first searches of an index all need the same shards, before they are in memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._requests: dict[Part, _Request] = {}
        self._lock = Lock()

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Read parts, or wait for other threads that do; see `Store.read`."""
        # The tasks of this thread cannot go on while it waits for them.
        own, others = self._divide(parts, waits_for_own_thread=False)
        try:
            self._finish(own, self._store.read(list(own)) if own else [])
        except BaseException as err:
            self._fail(own, err)
            raise
        contents = {**own, **others}
        results = [contents[part].result() for part in parts]
        return [
            self.read([part])[0] if content is None else content
            for part, content in zip(parts, results, strict=True)
        ]

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        """Do the same as `read` without blocking the event loop."""
        own, others = self._divide(parts, waits_for_own_thread=True)
        try:
            self._finish(own, await self._store.aread(list(own)) if own else [])
        except BaseException as err:
            self._fail(own, err)
            raise
        contents = {**own, **others}
        results = []
        for part in parts:
            future = contents[part]
            if not future.done():
                await _end_of(future)
            content = future.result()
            results.append((await self.aread([part]))[0] if content is None else content)
        return results

    def _divide(
        self, parts: Sequence[Part], *, waits_for_own_thread: bool
    ) -> tuple[dict[Part, Content], dict[Part, Content]]:
        """Return the parts to read, and those that are being read."""
        own: dict[Part, Content] = {}
        others: dict[Part, Content] = {}
        with self._lock:
            for part in dict.fromkeys(parts):
                request = self._requests.get(part)
                if request and (waits_for_own_thread or request.thread != get_ident()):
                    others[part] = request.content
                    continue
                own[part] = Future()
                own[part].set_running_or_notify_cancel()  # so that nobody can cancel it
                if not request:
                    self._requests[part] = _Request(own[part], get_ident())
        return own, others

    def _finish(self, own: dict[Part, Content], contents: Sequence[bytes]) -> None:
        self._forget(own)
        for future, content in zip(own.values(), contents, strict=True):
            future.set_result(content)

    def _fail(self, own: dict[Part, Content], err: BaseException) -> None:
        self._forget(own)
        for future in own.values():
            if isinstance(err, Exception):
                future.set_exception(err)
            else:  # only this reader ends
                future.set_result(None)
        own.clear()  # the error's traceback would keep it, and with it the error itself

    def _forget(self, own: dict[Part, Content]) -> None:
        with self._lock:
            for part, future in own.items():
                if part in self._requests and self._requests[part].content is future:
                    del self._requests[part]


async def _end_of(content: Content) -> None:
    """Wait for a future of any thread; `asyncio.wrap_future` would cancel it with this task."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    content.add_done_callback(wake)
    await ended.wait()
