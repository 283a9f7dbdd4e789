"""The files of a folder while an index in it is replaced: crashes, full disks, other writers."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from indexes import (
    DIM,
    FINGERPRINT,
    PRECISIONS,
    SMALL,
    content,
    listed,
    results,
    shard_of,
    small_index,
    unit_vectors,
    write_small_shards,
)
from twinvec import Document, Index, IndexFormatError, IndexWriter, IntegrityError, TwinvecError
from twinvec.files.atomic import part_of
from twinvec.index.writing.shards import check_folder, replace_folder

DISK_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill(
    folder: Path, then: Callable[[], object], name: str = "a", *, lexical: bool = True
) -> None:
    """Write some shards, do something, and leave the writer's block."""
    options: Any = {"precision": "float32", "dim": DIM, "lexical": lexical, "limits": SMALL}
    with IndexWriter(folder, FINGERPRINT, **options) as writer:
        documents = [Document(f"{name}{n}", f"{name} text {n}") for n in range(5)]
        writer.add(documents, unit_vectors(5))
        then()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("precision", PRECISIONS)
def test_many_shards_rank_as_one(tmp_path: Path, precision: str) -> None:
    write_small_shards(tmp_path, precision)
    assert len(list(tmp_path.glob("documents-*"))) == 5
    assert len(list(tmp_path.glob("postings-*"))) > 2
    assert len(list(tmp_path.glob("lines-*"))) == 2
    assert {file.name for file in tmp_path.iterdir()} == listed(tmp_path)
    loaded, expected = Index.load(tmp_path), small_index(precision)
    assert results(loaded) == results(expected)
    assert loaded.documents(1, 4) == expected.documents()[1:4]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_crash_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The folder as copied at any moment of a save loads, as the old or as the new index."""
    small_index().save(tmp_path / "index")
    old = results(Index.load(tmp_path / "index"))
    replace, done = Path.replace, 0

    def stop_before(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == step:
            shutil.copytree(tmp_path / "index", tmp_path / "crashed")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_before)
    changed = Index(FINGERPRINT, dim=DIM)
    changed.add_vectors(["other", "texts"], unit_vectors(7)[5:])
    changed.save(tmp_path / "index")
    monkeypatch.undo()
    assert done >= 8
    if step <= done:
        assert results(Index.load(tmp_path / "crashed")) == old
        changed.save(tmp_path / "crashed")
        names = {file.name for file in (tmp_path / "crashed").iterdir()}
        assert names == {file.name for file in (tmp_path / "index").iterdir()}


def test_an_exception_deletes_no_file_of_an_unreadable_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_index().save(tmp_path)
    newer = {**content(tmp_path), "index.json": b'{"version": 4, "shards": {}}'}

    def replace() -> None:
        assert len(content(tmp_path)) > len(newer)
        (tmp_path / "index.json").write_bytes(newer["index.json"])
        interrupt()

    def lock() -> None:
        monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=PermissionError))
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, replace)
    assert content(tmp_path) == newer
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, lock)
    monkeypatch.undo()
    assert newer.items() <= content(tmp_path).items()


def test_a_disk_that_is_full_at_the_end_leaves_the_old_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_index().save(tmp_path / "old")
    sync = os.fsync
    for folder in (tmp_path / "old", tmp_path / "new"):
        before = content(folder) if folder.exists() else {}
        for written in (0, 3, 12):  # of the files that are written at the end
            fail = Mock(side_effect=[None] * written + [DISK_FULL])
            with pytest.raises(OSError, match="No space left") as caught:
                fill(folder, partial(monkeypatch.setattr, os, "fsync", fail))
            monkeypatch.setattr(os, "fsync", sync)
            assert caught.value.filename == str(folder)
            assert content(folder) == before


def test_a_second_writer_is_refused_while_the_first_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "index"

    def write_another() -> None:
        for write in (small_index().save, partial(replace_folder, source=tmp_path)):
            with pytest.raises(TwinvecError, match=r"another run is writing .*index, and holds"):
                write(folder)

    fill(folder, write_another)
    assert Index.load(folder).documents()[0].id == "a0"
    assert {file.name for file in tmp_path.iterdir()} == {"index"}


@pytest.fixture
def without_locks(tmp_path: Path) -> Path:
    """A folder whose lock cannot be taken, as on some network drives."""
    (tmp_path / ".index.twinvec-lock").mkdir()
    return tmp_path / "index"


@pytest.mark.parametrize("lexical", [True, False])
def test_without_locks_the_second_of_two_writers_is_refused(
    without_locks: Path, *, lexical: bool
) -> None:
    tmp_path = without_locks
    first: dict[str, bytes] = {}

    def write_another() -> None:
        fill(tmp_path, lambda: None, "other")
        first.update(content(tmp_path))

    with pytest.raises(TwinvecError, match="another program replaced the index in"):
        fill(tmp_path, write_another, lexical=lexical)
    assert content(tmp_path) == first
    assert Index.load(tmp_path).documents()[0].id == "other0"


def test_without_locks_a_writer_that_fails_deletes_no_file_of_another(
    without_locks: Path,
) -> None:
    tmp_path = without_locks

    def write_another() -> None:
        fill(tmp_path, lambda: None)  # the same shards
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, write_another)
    loaded = Index.load(tmp_path)
    assert len(loaded.documents()) == len(loaded.search("text", mode="lexical")) == 5


def test_temporary_files_lie_in_the_folder_and_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder = tmp_path / "index"

    def look() -> None:
        assert list(folder.glob(".postings.npy.*"))
        shutil.copytree(folder, tmp_path / "killed")
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fill(folder, look)
    assert content(folder) == {}
    write_small_shards(folder)
    check_folder(tmp_path / "killed")
    write_small_shards(tmp_path / "killed")
    assert content(folder) == content(tmp_path / "killed")
    assert not list(folder.glob(".postings.npy.*"))
    monkeypatch.setattr(Path, "write_bytes", Mock(side_effect=DISK_FULL))
    with pytest.raises(OSError, match="No space left") as caught:
        write_small_shards(folder, prefix="other")
    assert caught.value.filename == str(folder)
    assert len(Index.load(folder)) == 5


def test_files_left_by_a_crash_do_not_occupy_a_folder(tmp_path: Path) -> None:
    for name in (
        "documents-0123456789abcdef.jsonl",
        "codes-0123456789abcdef.npy.part",
        "index.json.part",
        part_of(tmp_path / "index.json").name,
    ):
        (tmp_path / name).touch()
    check_folder(tmp_path)
    small_index().save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == listed(tmp_path)
    check_folder(tmp_path)
    check_folder(tmp_path / "not there")


@pytest.mark.parametrize(
    "text", ['[{"title": "A page"}]', '{"version": 1, "texts": []}', "{", "", "null"]
)
def test_an_index_json_of_another_program_is_not_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "index.json"
    file.write_text(text, encoding="utf-8")
    message = "would be replaced, but it is damaged, or twinvec did not write it"
    for write in (small_index().save, check_folder):
        with pytest.raises(IndexFormatError, match=message):
            write(tmp_path)
    assert content(tmp_path) == {"index.json": text.encode()}


def test_an_index_of_another_version_is_replaced(tmp_path: Path) -> None:
    block = {"version": 9, "shards": {}}
    (tmp_path / "index.json").write_text(json.dumps(block), encoding="utf-8")
    small_index().save(tmp_path)
    assert len(Index.load(tmp_path)) == 5


def test_a_copy_replaces_an_index_completely_or_not_at_all(tmp_path: Path) -> None:
    small_index().save(tmp_path / "new")
    small_index("int8").save(tmp_path / "index")
    (tmp_path / "index" / "readme.txt").touch()
    old, new = content(tmp_path / "index"), content(tmp_path / "new")
    lines = shard_of(tmp_path / "new", "lines")
    lines.write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="lines-"):
        replace_folder(tmp_path / "index", tmp_path / "new")
    assert content(tmp_path / "index") == old
    lines.write_bytes(new[lines.name])
    replace_folder(tmp_path / "index", tmp_path / "new")
    assert content(tmp_path / "index") == {**new, "readme.txt": b""}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "page.html").touch()
    with pytest.raises(IndexFormatError, match="mine is not empty and not an index"):
        replace_folder(tmp_path / "mine", tmp_path / "new")
    assert {file.name for file in tmp_path.iterdir()} == {"new", "index", "mine"}
