"""Processes that write one index at the same time, and readers beside a writer.

Expected: of two writers one is refused or both take turns; the folder always holds a whole index;
whoever reports success wrote one; a reader never sees a mixture.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexes import DIM, FINGERPRINT, unit_vectors
from twinvec import Index, IndexFormatError, TwinvecError

ROUNDS = 100

SAVER = """
import sys
from twinvec import Index, TwinvecError
first, second, location = sys.argv[1:]
indexes = [Index.load(first), Index.load(second)]
for number, _ in enumerate(sys.stdin):
    try:
        indexes[number % 2].save(location)
        print("saved", flush=True)
    except TwinvecError as err:
        print(f"{type(err).__name__}: {err}", flush=True)
"""


def save_index(location: Path, name: str) -> str:
    """Save an index of three documents; return its location."""
    index = Index(FINGERPRINT, dim=DIM)
    index.add_vectors([f"{name} {n}" for n in range(3)], unit_vectors(3))
    index.save(location)
    return str(location)


@contextmanager
def saver(location: Path, first: str, second: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that saves both indexes in turn, once for each line it receives."""
    command = [sys.executable, "-c", SAVER, first, second, str(location)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def start(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")


def outcome(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize("name", ["index", "index.zip"])
def test_two_writers_leave_a_whole_index(memory_path: Path, name: str) -> None:
    texts = [save_index(memory_path / text, text) for text in ("one", "two", "three", "four")]
    (memory_path / "out").mkdir()
    location = memory_path / "out" / name
    with saver(location, *texts[:2]) as left, saver(location, *texts[2:]) as right:
        for number in range(ROUNDS):
            start(left)
            start(right)
            outcomes = [outcome(left), outcome(right)]
            saved = [
                text
                for text, result in zip(("one two", "three four"), outcomes, strict=True)
                if result == "saved"
            ]
            refused = [result for result in outcomes if result != "saved"]
            assert saved, outcomes
            assert all("another run is writing" in result for result in refused), outcomes
            present = Index.load(location).documents()[0].text.split()[0]
            assert present in [text.split()[number % 2] for text in saved]
    assert [entry.name for entry in (memory_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ["index", "index.zip"])
def test_a_reader_beside_a_writer_opens_the_old_or_the_new_index(
    memory_path: Path, name: str
) -> None:
    texts = [save_index(memory_path / text, text) for text in ("one", "two")]
    location = memory_path / name
    save_index(location, "one")
    with saver(location, *texts) as writer:
        for _ in range(3 * ROUNDS):
            start(writer)
        with ThreadPoolExecutor(1) as pool:
            saves = pool.submit(lambda: {outcome(writer) for _ in range(3 * ROUNDS)})
            while not saves.done():
                assert len(Index.load(location)) == 3
        assert saves.result() == {"saved"}


@pytest.mark.parametrize("name", ["index", "index.zip"])
def test_an_open_index_reports_that_it_was_replaced(tmp_path: Path, name: str) -> None:
    location = tmp_path / name
    save_index(location, "one")
    opened = Index.load(location)
    save_index(location, "two")
    message = "the index was replaced after it was opened; open it again"
    for read in (
        opened.documents,
        lambda: opened.search("one", mode="lexical"),
        lambda: opened.search_vector(unit_vectors(1)[0]),
    ):
        with pytest.raises(IndexFormatError, match=message):
            read()
    assert Index.load(location).documents()[0].text == "two 0"


def test_a_missing_file_is_no_replacement(tmp_path: Path) -> None:
    save_index(tmp_path, "one")
    opened = Index.load(tmp_path)
    for file in tmp_path.glob("documents-*"):
        file.unlink()
    with pytest.raises(TwinvecError, match=r"documents-.* cannot be read"):
        opened.documents()
