"""`write_index`: read all, encode what is new, write; and go on after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filelock import FileLock

from indexes import DIM, FINGERPRINT, content
from twinvec import Document, Index, TwinvecError, normalize
from twinvec.errors import ClusterError
from twinvec.index.format import wide_digest
from twinvec.index.writing.update import Written, write_index

if TYPE_CHECKING:
    from twinvec.index.writing.update import Engine

TEXTS = [f"text {n % 9}" for n in range(20)]


class FakeEmbedder:
    """Makes a vector of a text's bytes, and notes which texts it encoded."""

    def __init__(self, fingerprint: dict[str, Any] = FINGERPRINT) -> None:
        self.fingerprint = fingerprint
        self.info = SimpleNamespace(dim=DIM)
        self.encoded: list[str] = []
        self.calls_left = -1

    def encode_document(self, texts: list[str], *, progress: Callable[..., object]) -> Any:
        if self.calls_left == 0:
            raise KeyboardInterrupt
        self.calls_left -= 1
        self.encoded += texts
        vectors = np.zeros((len(texts), DIM), np.float32)
        for number, (row, text) in enumerate(zip(vectors, texts, strict=True), 1):
            row[: len(text)] = list(text.encode())
            progress(number, len(texts))
        return normalize(vectors)


def documents(texts: list[str] = TEXTS) -> Iterator[Document]:
    return (Document(str(n), text, {"n": n}) for n, text in enumerate(texts))


def write(
    folder: Path, embedder: FakeEmbedder, texts: list[str] = TEXTS, **options: Any
) -> Written:
    fake: Any = embedder
    return write_index(documents(texts), folder, fake, **{"batch_documents": 4, **options})


def test_duplicate_texts_of_a_batch_are_encoded_once(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    assert write(tmp_path / "a", embedder, batch_documents=20) == Written(20, 9, "float32")
    assert embedder.encoded == TEXTS[:9]
    embedder = FakeEmbedder()
    assert write(tmp_path / "b", embedder) == Written(20, 20, "float32")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert [document.text for document in Index.load(tmp_path / "a").documents()] == TEXTS


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    write(tmp_path / "index", embedder)
    before = content(tmp_path / "index")
    embedder.encoded.clear()
    assert write(tmp_path / "index", embedder).embedded == 0
    assert content(tmp_path / "index") == before
    assert write(tmp_path / "index", embedder, ["new", *TEXTS[3:]]).embedded == 1
    assert embedder.encoded == ["new"]
    assert write(tmp_path / "index", FakeEmbedder({"model": "other"})).embedded == 20


def test_the_precision_of_the_present_index_is_kept(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    assert write(tmp_path / "index", embedder, precision="int8").precision == "int8"
    assert write(tmp_path / "index", embedder) == Written(20, 0, "int8")
    assert write(tmp_path / "index", embedder, precision="binary") == Written(20, 20, "binary")


def test_an_interrupted_run_is_continued(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(20)]
    write(tmp_path / "whole", FakeEmbedder(), texts)
    write(tmp_path / "index", FakeEmbedder(), texts[:1])
    before = content(tmp_path / "index")
    embedder = FakeEmbedder()
    embedder.calls_left = 2
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "index", embedder, texts)
    assert content(tmp_path / "index") == before
    assert (tmp_path / "index.part").exists()
    assert write(tmp_path / "index", FakeEmbedder(), texts).embedded == 20 - 1 - 2 * 4
    assert content(tmp_path / "index") == content(tmp_path / "whole")
    assert {entry.name for entry in tmp_path.iterdir()} == {"index", "whole"}


def test_all_documents_are_read_before_a_text_is_encoded(tmp_path: Path) -> None:
    def failing() -> Iterator[Document]:
        yield from documents()
        raise ValueError("a bad record")

    embedder: Any = FakeEmbedder()
    with pytest.raises(ValueError, match="a bad record"):
        write_index(failing(), tmp_path / "index", embedder)
    assert embedder.encoded == []
    assert list(tmp_path.iterdir()) == []


def test_progress_is_reported(tmp_path: Path) -> None:
    read: list[int] = []
    encoded: list[tuple[int, int]] = []

    def on_embed(done: int, total: int) -> None:
        encoded.append((done, total))

    write(tmp_path / "index", FakeEmbedder(), on_read=read.append, on_embed=on_embed)
    assert read == list(range(1, 21))
    assert encoded[0] == (0, 20)
    assert [done for done, _ in encoded] == sorted(done for done, _ in encoded)
    assert {done for done, _ in encoded} == set(range(21))
    encoded.clear()
    write(tmp_path / "index", FakeEmbedder(), on_embed=on_embed)
    assert encoded == [(0, 0)]


def test_two_runs_cannot_write_one_index_at_once(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    with (
        FileLock(tmp_path / ".index.twinvec-lock"),
        pytest.raises(TwinvecError, match=r"another run is writing .*index, and holds .*-lock"),
    ):
        write(tmp_path / "index", embedder)
    assert embedder.encoded == []
    (tmp_path / ".index.twinvec-lock").touch()  # left by a run that was killed
    write(tmp_path / "index", embedder)
    assert {entry.name for entry in tmp_path.iterdir()} == {"index"}


def test_a_drive_without_locks_is_written(tmp_path: Path) -> None:
    (tmp_path / ".index.twinvec-lock").mkdir()  # cannot be locked either
    assert write(tmp_path / "index", FakeEmbedder()).embedded == 20


def engine_in_disorder(embedder: FakeEmbedder) -> Engine:
    """Encode in batches that arrive in reverse, one of them twice."""

    def engine(texts: Iterable[str]) -> Iterator[tuple[list[bytes], Any]]:
        all_texts = list(texts)
        batches = [all_texts[start : start + 3] for start in range(0, len(all_texts), 3)]
        for batch in reversed([*batches, batches[1]]):
            vectors = embedder.encode_document(batch, progress=lambda *_: None)
            yield [wide_digest(text) for text in batch], vectors

    return engine


def test_an_engine_may_return_vectors_in_any_order_and_repeated(tmp_path: Path) -> None:
    here, there = FakeEmbedder(), FakeEmbedder()
    expected = write(tmp_path / "here", here)
    assert write(tmp_path / "there", here, engine=engine_in_disorder(there)) == expected
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert here.encoded == TEXTS
    assert len(there.encoded) == len(TEXTS) + 3
    assert not (tmp_path / "there.part").exists()


def test_an_engine_receives_only_missing_texts(tmp_path: Path) -> None:
    def never(texts: Iterable[str]) -> Iterator[tuple[list[bytes], Any]]:
        raise AssertionError(list(texts))

    write(tmp_path / "index", FakeEmbedder())
    assert write(tmp_path / "index", FakeEmbedder(), engine=never).embedded == 0


def test_a_run_without_the_engine_continues_one_whose_engine_failed(tmp_path: Path) -> None:
    def failing(texts: Iterable[str]) -> Iterator[tuple[list[bytes], Any]]:
        batch = list(islice(texts, 7))
        vectors = FakeEmbedder().encode_document(batch, progress=lambda *_: None)
        yield [wide_digest(text) for text in batch], vectors
        raise ClusterError("all machines are gone")

    texts = [f"text {n}" for n in range(20)]
    with pytest.raises(ClusterError):
        write(tmp_path / "index", FakeEmbedder(), texts, engine=failing)
    assert write(tmp_path / "index", FakeEmbedder(), texts).embedded == 13
    write(tmp_path / "whole", FakeEmbedder(), texts)
    assert content(tmp_path / "index") == content(tmp_path / "whole")
