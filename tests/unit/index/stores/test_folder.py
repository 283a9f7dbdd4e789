"""An index in a folder: every damaged file is an error that names it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indexes import DAMAGE, KINDS, change_manifest, shard_of, small_index, use_all
from twinvec import Index, IndexFormatError, IntegrityError
from twinvec.index.format import row_bytes


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, damage: str) -> None:
    small_index("int8").save(tmp_path)
    file = shard_of(tmp_path, kind)
    spoil, error = DAMAGE[damage]
    spoil(file)
    with pytest.raises(error, match=file.name):
        use_all(tmp_path)


def test_a_folder_without_an_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexFormatError, match="Check that an index was saved to this folder"):
        Index.load(tmp_path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [make_pipe, link_device, link_loop, Path.mkdir])
@pytest.mark.parametrize("kind", ["index.json", *KINDS])
def test_what_is_no_file_is_not_opened(
    tmp_path: Path, kind: str, make: Callable[[Path], object]
) -> None:
    """A pipe would wait for ever, and `/dev/zero` never ends."""
    small_index("int8").save(tmp_path)
    file = tmp_path / kind if kind == "index.json" else shard_of(tmp_path, kind)
    file.unlink()
    make(file)
    with pytest.raises(IndexFormatError, match=f"{file.name} cannot be read"):
        use_all(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_size_is_not_read(tmp_path: Path, kind: str) -> None:
    small_index("int8").save(tmp_path)
    file = shard_of(tmp_path, kind)
    with file.open("r+b") as stream:
        stream.truncate(1 << 40)  # more than any memory; it takes no space on the disk
    with pytest.raises(IntegrityError, match=f"{file.name}.*found {1 << 40} bytes"):
        use_all(tmp_path)


def test_vectors_that_no_memory_holds_are_an_error(tmp_path: Path) -> None:
    small_index("int8").save(tmp_path)
    count = (1 << 32) - 1
    shards = json.loads((tmp_path / "index.json").read_bytes())["shards"]
    for kind in ("codes", "scales", "lines", "ids", "texts", "lengths", "documents"):
        shard = shards[kind][0]
        width = 0 if kind == "documents" else row_bytes(kind, 32_768)
        shard.update(rows=count, bytes=128 + count * max(width, 1))
    change_manifest(tmp_path, shards=shards, dim=32_768, count=count)
    with pytest.raises(IndexFormatError, match=r"4,294,967,295 vectors of 32768 dims.*into memory"):
        Index.load(tmp_path)
