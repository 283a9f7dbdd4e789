"""One change of an index at a time, from any thread or task."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

POLL_SECONDS = 0.005


class ChangeLock:
    """Held by the call that changes or saves an index; all others wait for it.

    ::

        with changes.held():
            ...
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._holder: int | None = None  # a thread

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for other threads.

        Raises:
            TwinvecError: a call of this same thread holds the lock, so it would wait for itself.
        """
        if self._holder == get_ident():
            raise TwinvecError(
                "another call of this thread is changing or saving the index; await it first, or "
                "use the method whose name begins with `a`"
            )
        with self._lock:
            self._holder = get_ident()
            try:
                yield
            finally:
                self._holder = None

    @asynccontextmanager
    async def aheld(self) -> AsyncIterator[None]:
        """Wait for other tasks and threads without blocking the event loop."""
        while not self._lock.acquire(blocking=False):  # noqa: ASYNC110 (no event reaches all loops)
            await asyncio.sleep(POLL_SECONDS)
        self._holder = get_ident()
        try:
            yield
        finally:
            self._holder = None
            self._lock.release()
