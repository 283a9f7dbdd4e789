"""The files of an index on disk: shards of bounded size, and the switch from one index to the next.

New files are written beside the present ones, under names that no present file has. `commit`
replaces `index.json` in one step, and only then deletes the files it no longer lists. So at every
moment the folder holds one complete index, the old one or the new one. A writer that gives up
deletes the files that it added, and no others.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError, TwinvecError
from twinvec.index.format import MANIFEST, OWN_NAME, Shard, columns, row_bytes, to_npy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from twinvec.index.format import Manifest

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Limits:
    """Sizes of shards, and of the data that a writer holds in memory.

    Attributes:
        array_bytes: of a shard that is loaded whole.
        documents_bytes: of a shard of documents, which a server without range requests sends whole
            for a single line.
        shard_postings: postings of a shard, on average.
        sorted_terms: terms, repetitions included, sorted at once.
    """

    array_bytes: int = 1 << 24
    documents_bytes: int = 1 << 22
    shard_postings: int = 1 << 21
    sorted_terms: int = 1 << 21


def check_manifest(folder: Path) -> None:
    """Check that a folder's `index.json`, if it has one, was written by twinvec.

    Raises:
        IndexFormatError: another program wrote it, or it is damaged.
        OSError: it cannot be read.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return
    try:
        values = json.loads(content)
    except ValueError:
        values = None
    if not (isinstance(values, dict) and {"version", "shards"} <= values.keys()):
        raise IndexFormatError(
            f"{folder / MANIFEST} would be replaced, but it is damaged, or twinvec did not write "
            "it; move it away, or choose another folder"
        )


def check_folder(folder: Path) -> None:
    """Check that a folder holds an index, or nothing but files that a crash of twinvec left.

    Raises:
        IndexFormatError: the folder holds something else.
        OSError: it cannot be read.
    """
    check_manifest(folder)
    if folder.is_dir() and not (folder / MANIFEST).exists():
        if all(map(_is_shard, folder.iterdir())):
            return
        raise IndexFormatError(f"{folder} is not empty and not an index; choose another folder")


def replace_folder(folder: Path, source: Path) -> None:
    """Replace a folder's index with a copy of another; it stays complete until the copy is.

    Raises:
        IndexFormatError: the folder holds something else than an index.
    """
    check_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        copy, old = Path(temporary) / "new", Path(temporary) / "old"
        shutil.copytree(source, copy)
        if folder.exists():
            folder.rename(old)
        try:
            copy.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise


@contextmanager
def naming_full_disk(folder: Path) -> Iterator[None]:
    """Add a folder's path to the errors of its full disk, which lack one."""
    try:
        yield
    except OSError as err:
        if err.filename is None and err.errno in _DISK_FULL:
            raise OSError(err.errno, err.strerror, str(folder)) from err
        raise


class NewFiles:
    """The files that one writer adds to a folder, created if missing.

    Raises:
        IndexFormatError: the folder's `index.json` was not written by twinvec.
    """

    def __init__(self, folder: Path) -> None:
        check_manifest(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._added: set[str] = set()

    def write_array(self, kind: str, rows: NDArray[Any]) -> Shard:
        """Write a shard of an array; see `write`."""
        return self.write(kind, "npy", to_npy(rows), len(rows))

    def write(self, kind: str, suffix: str, content: bytes, rows: int) -> Shard:
        """Write a shard.

        Raises:
            TwinvecError: another program replaced this index during the write.
            OSError: writing failed, for example because the disk is full.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        shard = Shard(f"{kind}-{sha256[:16]}.{suffix}", rows, len(content), sha256)
        if not (self.folder / shard.file).exists():
            self._added.add(shard.file)
        self._replace(shard.file, content)
        return shard

    def write_temporary(self, rows: NDArray[Any]) -> str:
        """Write an array for this writer alone, deleted by a `commit`, if need be of a later run.

        Returns:
            the file's name, for `open_temporary`.
        """
        name = f"aside-{os.urandom(8).hex()}.npy.part"
        self._added.add(name)
        with naming_full_disk(self.folder):
            (self.folder / name).write_bytes(to_npy(rows))
        return name

    def open_temporary(self, name: str) -> NDArray[Any]:
        """Map a temporary array into memory.

        Raises:
            TwinvecError: another program replaced this index during the write.
        """
        try:
            array: NDArray[Any] = np.load(self.folder / name, mmap_mode="r")
        except FileNotFoundError as err:
            raise self._replaced_by_another() from err
        return array

    def commit(self, manifest: Manifest) -> None:
        """Make the new files the folder's index, and delete files of the old one.

        Raises:
            TwinvecError: another program replaced this index during the write; its index stays.
            OSError: writing failed, for example because the disk is full.
        """
        listed = {shard.file for shards in manifest.shards.values() for shard in shards}
        if not all((self.folder / name).is_file() for name in listed):
            raise self._replaced_by_another()
        self._replace(MANIFEST, manifest.to_json())
        self._added.clear()
        for file in self.folder.iterdir():
            if _is_shard(file) and file.name not in listed:
                file.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete new files that were not committed, unless another program's index lists them."""
        with suppress(OSError):  # the next commit deletes the rest
            file = self.folder / MANIFEST
            listed = file.read_bytes() if file.exists() else b""
            for name in self._added:
                if name.encode() not in listed:
                    (self.folder / name).unlink(missing_ok=True)

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file completely, or not at all."""
        part = self.folder / f"{name}.part"
        try:
            with naming_full_disk(self.folder), part.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self.folder / name)
        except FileNotFoundError as err:
            raise self._replaced_by_another() from err
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise

    def _replaced_by_another(self) -> TwinvecError:
        return TwinvecError(
            f"another program replaced the index in {self.folder} while this one was writing, and "
            "its index stays; run them one at a time"
        )


class TableWriter:
    """Shards of one kind of array, written as rows are added.

    Args:
        files: receives the shards.
        kind: of the array.
        dim: length of a vector; 0 for other kinds.
        shard_bytes: size of a shard.
    """

    def __init__(self, files: NewFiles, kind: str, dim: int, shard_bytes: int) -> None:
        self.shards: list[Shard] = []
        self._files, self._kind = files, kind
        self._dtype, self._shape = columns(kind, dim)
        self._shard_rows = max(1, shard_bytes // row_bytes(kind, dim))
        self._waiting: list[NDArray[Any]] = []
        self._count = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; they are copied, since the caller may fill the same array again."""
        self._waiting.append(rows.astype(self._dtype, casting="same_kind"))
        self._count += len(rows)
        while self._count >= self._shard_rows:
            self._write(self._shard_rows)

    def close(self) -> list[Shard]:
        """Write the remaining rows; return all shards."""
        if self._count or not self.shards:
            self._write(self._count)
        return self.shards

    def _write(self, count: int) -> None:
        empty = np.empty((0, *self._shape), self._dtype)
        rows = np.concatenate([empty, *self._waiting])
        self._waiting = [rows[count:].copy()]
        self._count -= count
        self.shards.append(self._files.write_array(self._kind, rows[:count]))


class LinesWriter:
    """Shards of documents, written as lines are added.

    Args:
        files: receives the shards.
        shard_bytes: maximum size of a shard, unless a single line is longer.
    """

    def __init__(self, files: NewFiles, shard_bytes: int) -> None:
        self.shards: list[Shard] = []
        self._files = files
        self._shard_bytes = shard_bytes
        self._content = bytearray()
        self._rows = 0

    def append(self, line: bytes) -> int:
        """Add a line; return its offset in its shard."""
        if self._rows and len(self._content) + len(line) >= self._shard_bytes:
            self._write()
        start = len(self._content)
        self._content += line + b"\n"
        self._rows += 1
        return start

    def close(self) -> list[Shard]:
        """Write the remaining lines; return all shards."""
        if self._rows or not self.shards:
            self._write()
        return self.shards

    def _write(self) -> None:
        content = bytes(self._content)
        self.shards.append(self._files.write("documents", "jsonl", content, self._rows))
        self._content, self._rows = bytearray(), 0


def _is_shard(file: Path) -> bool:
    """Check by its name whether a file is a shard, or a partial one; `index.json` is neither."""
    return OWN_NAME.fullmatch(file.name.removesuffix(".part")) is not None
