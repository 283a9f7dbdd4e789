"""Reads that overlap are one request; nobody waits for a reader that failed or was cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import finish
from twinvec.errors import DownloadError
from twinvec.index.manifest import Shard
from twinvec.index.stores.base import Part
from twinvec.index.stores.shared import SharedReads

PARTS = [Part(Shard("a", 1, 4, "0" * 64)), Part(Shard("b", 1, 4, "0" * 64), 0, 2)]


class SlowStore:
    """Counts its reads, and ends them when it is released."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.begun = threading.Event()
        self.released = threading.Event()
        self.failures = 0

    def expect(self, total: int, hashes: Sequence[str]) -> None:
        raise AssertionError(f"{total} {hashes}")

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        self.reads += [part.file for part in parts]
        self.begun.set()
        assert self.released.wait(20)
        if self.failures:
            self.failures -= 1
            raise DownloadError("a server failed")
        return [part.file.encode() for part in parts]

    async def aread(self, parts: Sequence[Part]) -> list[bytes]:
        return await asyncio.to_thread(self.read, parts)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


def test_tasks_share_a_read(store: SlowStore) -> None:
    shared = SharedReads(store)

    async def read_all() -> list[list[bytes]]:
        reads = [asyncio.create_task(shared.aread(PARTS)) for _ in range(100)]
        reads.append(asyncio.create_task(shared.aread([PARTS[1], PARTS[1]])))
        await asyncio.sleep(0.01)
        store.released.set()
        return await asyncio.gather(*reads)

    *same, last = finish(read_all())
    assert same == [[b"a", b"b"]] * 100
    assert last == [b"b", b"b"]
    assert store.reads == ["a", "b"]
    finish(shared.aread(PARTS))
    assert store.reads == ["a", "b"] * 2  # nothing is kept


def test_threads_share_a_read(store: SlowStore) -> None:
    shared = SharedReads(store)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(shared.read, PARTS)
        assert store.begun.wait(20)
        rest = [pool.submit(shared.read, PARTS[:1]) for _ in range(19)]
        while sum(run.running() for run in rest) < 19:
            pass
        store.released.set()
        assert first.result() == [b"a", b"b"]
        assert [run.result() for run in rest] == [[b"a"]] * 19
    assert len(store.reads) < 20


def test_all_learn_of_a_failure_and_the_next_read_tries_again(store: SlowStore) -> None:
    shared = SharedReads(store)
    store.failures = 1

    async def read_all() -> list[object]:
        reads = [asyncio.create_task(shared.aread(PARTS)) for _ in range(3)]
        await asyncio.sleep(0.01)
        store.released.set()
        return await asyncio.gather(*reads, return_exceptions=True)

    assert [type(result) for result in finish(read_all())] == [DownloadError] * 3
    assert finish(shared.aread(PARTS)) == [b"a", b"b"]


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_cancelled_reader_cancels_no_other(store: SlowStore, cancelled: int) -> None:
    shared = SharedReads(store)

    async def read_all() -> list[object]:
        reads = [asyncio.create_task(shared.aread(PARTS)) for _ in range(3)]
        await asyncio.sleep(0.01)
        reads[cancelled].cancel()
        store.released.set()
        return await asyncio.gather(*reads, return_exceptions=True)

    results = finish(read_all())
    assert isinstance(results.pop(cancelled), asyncio.CancelledError)
    assert results == [[b"a", b"b"]] * 2


def test_a_blocking_read_does_not_wait_for_tasks_of_its_own_thread(store: SlowStore) -> None:
    shared = SharedReads(store)

    async def read_both() -> list[bytes]:
        task = asyncio.create_task(shared.aread(PARTS))
        await asyncio.sleep(0.01)
        store.released.set()
        blocking = shared.read(PARTS)
        await task
        return blocking

    assert finish(read_both()) == [b"a", b"b"]
