"""Changes follow each other, whether threads or tasks make them."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import finish
from twinvec.errors import TwinvecError
from twinvec.index.changes import ChangeLock


def test_threads_and_tasks_wait_for_each_other() -> None:
    changes, inside = ChangeLock(), []

    def change() -> None:
        with changes.held():
            inside.append(1)
            assert len(inside) == 1
            time.sleep(0.001)
            inside.pop()

    async def achange() -> None:
        async with changes.aheld():
            inside.append(1)
            assert len(inside) == 1
            await asyncio.sleep(0.001)
            inside.pop()

    async def all_tasks() -> None:
        await asyncio.gather(*(achange() for _ in range(20)))

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(change) for _ in range(20)]
        runs += [pool.submit(asyncio.run, all_tasks()) for _ in range(2)]
        for run in runs:
            run.result(timeout=30)


def test_a_thread_does_not_wait_for_itself() -> None:
    changes = ChangeLock()

    async def change() -> None:
        async with changes.aheld():
            with pytest.raises(TwinvecError, match="another call of this thread"), changes.held():
                pass

    finish(change())
    with changes.held():
        pass
