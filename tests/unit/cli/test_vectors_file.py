from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from twinvec import Embedder, TwinvecError
from twinvec.cli.vectors_file import VectorsFile

TEXTS = [f"text {number}" for number in range(10)]
LONG = "long"
DIM = 3


class Lengths:
    """Stands in for an embedder: a text's vector is its length, `LONG` counts as truncated."""

    def __init__(self) -> None:
        self.truncated = 0
        self.batches: list[list[str]] = []

    def encode(self, texts: list[str], *, prompt: str) -> NDArray[np.float32]:
        self.batches.append(texts)
        self.truncated += texts.count(LONG)
        return np.array([[len(prompt + text)] * DIM for text in texts], np.float32)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.npy"


def opened(out: Path, count: int = len(TEXTS), **inputs: Any) -> VectorsFile:
    return VectorsFile(out, (count, DIM), inputs)


def fill(
    vectors: VectorsFile,
    texts: list[str] = TEXTS,
    stop_at: int | None = None,
    embedder: Lengths | None = None,
) -> Lengths:
    """Write batches of four texts, and interrupt the run after `stop_at` rows."""
    embedder = embedder or Lengths()

    def progress(done: int, total: int) -> None:
        assert (done, total) == (vectors.rows, len(texts))
        if done == stop_at:
            raise KeyboardInterrupt

    vectors.fill(texts, cast("Embedder", embedder), "> ", progress, texts_per_write=4)
    return embedder


def interrupt(vectors: VectorsFile, texts: list[str] = TEXTS, stop_at: int = 8) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill(vectors, texts, stop_at)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def assert_complete(out: Path, texts: list[str] = TEXTS) -> None:
    assert files(out.parent) == ["out.npy"]
    vectors = np.load(out)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[len("> " + text)] * DIM for text in texts]


def test_a_file_is_complete_under_its_name(out: Path) -> None:
    embedder = fill(opened(out))
    assert [len(batch) for batch in embedder.batches] == [4, 4, 2]
    assert_complete(out)


def test_no_texts_make_an_empty_array(out: Path) -> None:
    fill(opened(out, count=0), [])
    assert np.load(out).shape == (0, DIM)


def test_an_interrupted_file_is_resumed(out: Path) -> None:
    texts = [LONG, *TEXTS[1:9], LONG]
    interrupt(opened(out, prompt="> "), texts)
    assert files(out.parent) == ["out.npy.part", "out.npy.part.json"]
    vectors = opened(out, prompt="> ")
    assert (vectors.rows, vectors.truncated, vectors.differing) == (8, 1, [])
    embedder = fill(vectors, texts)
    assert embedder.batches == [texts[8:]]
    assert vectors.truncated == 2
    assert_complete(out, texts)


def test_texts_truncated_before_are_not_counted(out: Path) -> None:
    embedder = Lengths()
    embedder.encode([LONG], prompt="")
    vectors = opened(out)
    fill(vectors, embedder=embedder)
    assert vectors.truncated == 0


def test_rows_that_were_not_recorded_are_written_again(out: Path) -> None:
    """A crash between the rows and their record leaves such files."""
    interrupt(opened(out), stop_at=4)
    record = (out.parent / "out.npy.part.json").read_bytes()
    interrupt(opened(out), stop_at=8)
    (out.parent / "out.npy.part.json").write_bytes(record)
    vectors = opened(out)
    assert vectors.rows == 4
    fill(vectors)
    assert_complete(out)


def test_other_inputs_start_again(out: Path) -> None:
    interrupt(opened(out, prompt="", dtype="fp32", format="csv"))
    vectors = opened(out, prompt="", dtype="w8", field="text")
    assert (vectors.rows, vectors.differing) == (0, ["dtype", "format", "field"])
    fill(vectors)
    assert_complete(out)


def test_a_record_does_not_outlive_its_rows(out: Path) -> None:
    """Otherwise rows of one run could be used for those of another."""
    interrupt(opened(out, prompt=""))
    interrupt(opened(out, prompt="a"), stop_at=0)
    assert files(out.parent) == ["out.npy.part"]


def lose_record(part: Path, record: Path) -> None:
    assert part.is_file()
    record.unlink()


def cut_record(part: Path, record: Path) -> None:
    assert part.is_file()
    record.write_bytes(record.read_bytes()[:20])


def cut_rows(part: Path, record: Path) -> None:
    assert record.is_file()
    part.write_bytes(part.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [lose_record, cut_record, cut_rows])
def test_a_damaged_part_starts_again(out: Path, damage: Callable[[Path, Path], None]) -> None:
    interrupt(opened(out, prompt=""))
    damage(out.parent / "out.npy.part", out.parent / "out.npy.part.json")
    vectors = opened(out, prompt="")
    assert vectors.rows == 0
    fill(vectors)
    assert_complete(out)


@pytest.mark.parametrize("at", [80, 128, 128 + 50, 128 + 8 * DIM * 4 - 1])
def test_a_flipped_bit_in_the_part_starts_again(out: Path, at: int) -> None:
    interrupt(opened(out, prompt=""))
    part = out.parent / "out.npy.part"
    damaged = bytearray(part.read_bytes())
    damaged[at] ^= 1
    part.write_bytes(damaged)
    fill(opened(out, prompt=""))
    assert_complete(out)


def test_every_flipped_bit_in_the_record_starts_again(out: Path) -> None:
    interrupt(opened(out, prompt=""), [LONG, *TEXTS[1:]])
    record = out.parent / "out.npy.part.json"
    content = record.read_bytes()
    for bit in range(0, len(content) * 8, 3):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        record.write_bytes(damaged)
        assert opened(out, prompt="").rows == 0
    record.write_bytes(content)
    assert opened(out, prompt="").rows == 8


@pytest.mark.parametrize("field", ["rows", "truncated", "made_of", "sha256"])
@pytest.mark.parametrize("value", [None, -1, 10**30, 1.5, "8", [], {}, "missing"])
def test_a_field_of_another_type_starts_again(out: Path, field: str, value: Any) -> None:
    interrupt(opened(out, prompt=""))
    record = out.parent / "out.npy.part.json"
    state = {**json.loads(record.read_bytes()), field: value}
    if value == "missing":
        del state[field]
    record.write_text(json.dumps(state), encoding="utf-8")
    assert opened(out, prompt="").rows == 0


def test_a_record_nested_deep_starts_again(out: Path) -> None:
    interrupt(opened(out, prompt=""))
    (out.parent / "out.npy.part.json").write_text("[" * 100_000, encoding="utf-8")
    assert opened(out, prompt="").rows == 0


def test_a_part_that_is_no_file_is_refused(out: Path) -> None:
    os.mkfifo(out.parent / "out.npy.part")
    with pytest.raises(TwinvecError, match=r"out\.npy\.part is no regular file; move it away"):
        opened(out)


def test_fewer_texts_than_rows_are_an_error(out: Path) -> None:
    with pytest.raises(TwinvecError, match="it had 10 texts, now 9; run the command again"):
        opened(out).fill(TEXTS[:9], cast("Embedder", Lengths()), "", lambda *_: None)
    assert not out.exists()
