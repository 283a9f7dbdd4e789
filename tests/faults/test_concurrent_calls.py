"""Threads, tasks and processes that use one index or one embedder at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from conftest import finish
from indexes import DIM, FINGERPRINT
from killing import CHILD_SECONDS, wait_for
from synthetic import write_tiny
from twinvec import Embedder, Index, InferenceError, normalize
from twinvec.convert.folder import convert_folder

THREADS = 8
ROUNDS = 40


def vectors_of(names: list[str]) -> Any:
    """Compute a vector from each text, so that a wrong pair shows."""
    seeds = [int(name.partition(" ")[0]) for name in names]
    return normalize(
        np.array([np.random.default_rng(seed).standard_normal(DIM) for seed in seeds], np.float32)
    )


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Run a function in threads that begin together; raise what any of them raises."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for run in [pool.submit(begin, number) for number in range(count)]:
            run.result()


def check_pairs(index: Index) -> None:
    """Each document is found by its own vector."""
    documents = index.documents()
    for document, vector in zip(documents, vectors_of([d.text for d in documents]), strict=True):
        (hit,) = index.search_vector(vector, k=1)
        assert (hit.id, hit.text) == (document.id, document.text)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_documents_added_by_threads_keep_their_vectors(precision: Any) -> None:
    index = Index(FINGERPRINT, dim=DIM, precision=precision)

    def add(number: int) -> None:
        for turn in range(ROUNDS):
            names = [f"{number * 1000 + turn * 3 + i} of {number}" for i in range(3)]
            index.add_vectors(names, vectors_of(names), ids=names)

    at_once(THREADS, add)
    assert len(index) == THREADS * ROUNDS * 3
    check_pairs(index)


def test_default_ids_of_threads_differ() -> None:
    index = Index(FINGERPRINT, dim=DIM)

    def add(number: int) -> None:
        for turn in range(ROUNDS):
            names = [f"{number * 1000 + turn} text"]
            index.add_vectors(names, vectors_of(names))

    at_once(THREADS, add)
    assert sorted(int(d.id) for d in index.documents()) == list(range(THREADS * ROUNDS))
    check_pairs(index)


def test_searches_during_changes_see_the_index_before_or_after() -> None:
    index = Index(FINGERPRINT, dim=DIM)
    names = [f"{number} common" for number in range(50)]
    index.add_vectors(names, vectors_of(names), ids=names)
    done = threading.Event()

    def change() -> None:
        for number in range(100, 100 + 4 * ROUNDS):
            name = f"{number} common"
            index.add_vectors([name], vectors_of([name]), ids=[name])
            if number % 3 == 0:
                index.remove([name])
        done.set()

    def search(number: int) -> None:
        if number == 0:
            change()
        query = vectors_of([f"{number} common"])[0]
        while not done.is_set():
            assert index.search_vector(query, k=1)[0].id == f"{number} common"
            hits = index.search(f"common {number}", mode="lexical", k=5)
            assert hits[0].id == f"{number} common"
            assert len(hits) == 5
            assert index.documents(number, number + 1)[0].id == f"{number} common"
            assert len(index) >= 50

    at_once(4, search)
    check_pairs(index)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "served"
    names = [f"{number} common word{number % 7}" for number in range(500)]
    index = Index(FINGERPRINT, dim=DIM)
    index.add_vectors(names, vectors_of(names), ids=names)
    index.save(folder)
    return folder


class Counting(SimpleHTTPRequestHandler):
    """Serves files, and counts the requests."""

    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(params=["folder", "url"])
def location(
    saved: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    Counting.requests.clear()
    if request.param == "folder":
        yield str(saved)
        return
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=saved)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


SEARCHES = 2000


def test_first_searches_of_many_tasks(location: str) -> None:
    async def search_all() -> list[Any]:
        index = await Index.aload(location)
        searches = (
            index.asearch(f"word{number % 7}", mode="lexical", k=3) for number in range(SEARCHES)
        )
        return await asyncio.gather(*searches)

    found = finish(search_all())
    assert [len(hits) for hits in found] == [3] * SEARCHES
    assert all(hits == found[number % 7] for number, hits in enumerate(found))
    assert len(Counting.requests) < 50


def test_first_searches_of_many_threads(location: str) -> None:
    index = Index.load(location)
    found: dict[int, Any] = {}

    def search(number: int) -> None:
        found[number] = index.search(f"word{number % 7}", mode="lexical", k=3)

    at_once(200, search)
    assert all(found[number] == found[number % 7] for number in range(200))
    assert len(Counting.requests) < 200


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(folder / "source"), folder / "tiny")


LINES = [f"word{number % 49 + 1} word{number * 7 % 49 + 1}" for number in range(200)]


def test_one_embedder_in_many_threads(model: Path) -> None:
    embedder = Embedder.from_pretrained(model, max_length=1)
    expected = embedder.encode(LINES)
    already = embedder.truncated

    def encode(_: int) -> None:
        assert np.array_equal(embedder.encode(LINES), expected)

    at_once(THREADS, encode)
    assert embedder.truncated == already + THREADS * len(LINES)
    embedder.close()


def status_of_child(work: Callable[[], object]) -> int:
    """Fork, and return the child's exit status; a child that hangs is ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return wait_for(child)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


@needs_fork
def test_a_forked_child_encodes_and_closes(model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    expected = embedder.encode(LINES)

    def encode() -> None:
        assert np.array_equal(embedder.encode(LINES), expected)
        assert np.array_equal(finish(embedder.aencode(LINES)), expected)
        embedder.close()

    assert status_of_child(encode) == 0
    assert np.array_equal(embedder.encode(LINES), expected)
    assert status_of_child(embedder.close) == 0
    embedder.close()


@needs_fork
def test_processes_of_a_pool_encode(model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    expected = embedder.encode(LINES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2, _remember, (embedder,)) as pool:
            batches = pool.map_async(_encode, [LINES[:100], LINES[100:]]).get(CHILD_SECONDS)
    assert np.array_equal(np.concatenate(batches), expected)
    embedder.close()


inherited: list[Embedder] = []


def _remember(embedder: Embedder) -> None:
    inherited.append(embedder)


def _encode(texts: list[str]) -> Any:
    return inherited[-1].encode(texts)


@needs_fork
def test_children_of_a_process_that_is_encoding(model: Path) -> None:
    embedder = Embedder.from_pretrained(model)
    expected = embedder.encode(LINES)
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            embedder.encode(LINES)

    def encode() -> None:
        assert np.array_equal(embedder.encode(LINES), expected)

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(go_on) for _ in range(2)]
        try:
            assert [status_of_child(encode) for _ in range(20)] == [0] * 20
        finally:
            stop.set()
        for run in runs:
            run.result()
    embedder.close()


@needs_fork
def test_a_call_during_which_a_process_forks_ends_in_the_child(model: Path) -> None:
    embedder = Embedder.from_pretrained(model)

    def go_on() -> None:
        with pytest.raises(InferenceError, match="forked during the call"):
            list(outputs)

    outputs = embedder.pipeline.session.run(embedder.pipeline.runs(LINES))
    for done, _ in enumerate(outputs):
        if done == 3:
            assert status_of_child(go_on) == 0
            break
    outputs.close()
    embedder.close()


def encode_on(embedder: Embedder, expected: Any) -> None:
    for _ in range(10_000):
        assert np.array_equal(embedder.encode(LINES), expected)


def test_closing_waits_for_runs_and_refuses_later_ones(model: Path) -> None:
    for _ in range(20):
        embedder = Embedder.from_pretrained(model)
        expected = embedder.encode(LINES)

        def work(number: int, embedder: Embedder = embedder, expected: Any = expected) -> None:
            if number == 0:
                time.sleep(0.005)
                embedder.close()
                return
            with pytest.raises(InferenceError, match="this embedder was closed"):
                encode_on(embedder, expected)

        at_once(5, work)
        with pytest.raises(InferenceError, match="this embedder was closed"):
            finish(embedder.aencode(LINES))
        embedder.close()
