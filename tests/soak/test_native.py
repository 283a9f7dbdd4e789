"""A process that works for a long time: a million texts, many threads, forks, cancelled calls."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from synthetic import write_tiny
from twinvec import Embedder
from twinvec.convert.folder import convert_folder

pytestmark = pytest.mark.soak

TEXTS = 1_000_000
BATCH_TEXTS = 1_000
MAX_GROWTH = 0.03


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    root = tmp_path_factory.mktemp("soak")
    opened = Embedder.from_pretrained(convert_folder(write_tiny(root / "source"), root / "tiny"))
    yield opened
    opened.close()


def batch(seed: int) -> list[str]:
    draw = random.Random(seed)
    return [
        " ".join(f"word{draw.randrange(1, 50)}" for _ in range(draw.randrange(1, 12)))
        for _ in range(BATCH_TEXTS)
    ]


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


class StopError(Exception):
    """Ends a call from its progress callback."""


def encode_and_cancel(embedder: Embedder, seed: int) -> bytes:
    """Encode a batch, cancel the same call half-way, and encode it again."""

    def stop(done: int, _total: int) -> None:
        if done == BATCH_TEXTS // 2:
            raise StopError

    first = embedder.encode(batch(seed)).tobytes()
    if seed % 50 == 0:
        with pytest.raises(StopError):
            embedder.encode(batch(seed), progress=stop)
        assert embedder.encode(batch(seed)).tobytes() == first
    return first


def test_a_million_texts_from_eight_threads(embedder: Embedder) -> None:
    distinct = 20
    expected = [embedder.encode(batch(seed)) for seed in range(distinct)]
    bits = [vectors.tobytes() for vectors in expected]
    with ThreadPoolExecutor(8) as pool:

        def work(number: int) -> bool:
            return encode_and_cancel(embedder, number % distinct) == bits[number % distinct]

        calls = TEXTS // BATCH_TEXTS
        assert all(pool.map(work, range(calls // 10)))
        before = resident_bytes()
        assert all(pool.map(work, range(calls // 10, calls)))
    growth = resident_bytes() / before - 1
    print(f"growth {growth:.2%} of {before / 1e6:.0f} MB")
    assert growth <= MAX_GROWTH


def send_bits(embedder: Embedder, connection: Connection) -> None:
    connection.send_bytes(embedder.encode(batch(0)).tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_children_of_a_busy_process_encode_the_same(embedder: Embedder) -> None:
    expected = embedder.encode(batch(0)).tobytes()
    context = multiprocessing.get_context("fork")
    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            busy = pool.submit(embedder.encode, batch(0))
            mine, theirs = context.Pipe(duplex=False)
            child = context.Process(target=send_bits, args=(embedder, theirs))
            child.start()
            assert mine.poll(60), "the child hangs"
            assert mine.recv_bytes() == expected
            child.join(60)
            assert child.exitcode == 0
            assert busy.result().tobytes() == expected
