"""The files of an index on disk: shards of bounded size, and the switch from one index to the next.

A writer holds the lock of its folder. New files are written beside the present ones, under names
that no present file has. `commit` replaces `index.json` in one step, and only then deletes the
files it no longer lists. So at every moment the folder holds one complete index, the old one or the
new one. A writer that gives up deletes the files that it added, and no others.
"""

from __future__ import annotations

import errno
import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError, TwinvecError
from twinvec.files.atomic import locked, open_regular, part_of, sync_folder, target_name, write_file
from twinvec.index.format import MANIFEST, OWN_NAME, columns, parse_json, row_bytes
from twinvec.index.manifest import MAX_MANIFEST_BYTES, Shard
from twinvec.index.npy import to_npy
from twinvec.index.stores.base import Part, drive, read_whole
from twinvec.index.stores.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twinvec.index.manifest import Manifest
    from twinvec.index.stores.base import Steps

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
        with open_regular(folder / MANIFEST) as stream:
            values = parse_json(stream.read(MAX_MANIFEST_BYTES))
    except FileNotFoundError:
        return
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
        if all(map(_is_own, folder.iterdir())):
            return
        raise IndexFormatError(f"{folder} is not empty and not an index; choose another folder")


def replace_folder(folder: Path, source: Path) -> None:
    """Replace a folder's index with a copy of another; it stays complete until the copy is.

    Raises:
        IndexFormatError: the folder holds something else than an index, or the source cannot be
            read.
        IntegrityError: a file of the source is damaged.
        TwinvecError: another run is writing the folder's index.
    """
    store = FolderStore(source)
    with locked(folder):
        check_folder(folder)
        files = NewFiles(folder)
        try:
            files.open()
            files.commit(drive(read_whole(partial(_copy, files)), store))
        finally:
            files.discard()


def _copy(files: NewFiles, manifest: Manifest) -> Steps[Manifest]:
    """Copy the files that a manifest lists."""
    for shard in manifest.files:
        (content,) = yield [Part(shard)]
        files.add(shard, content)
    return manifest


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
    """The files that one writer adds to a folder.

    Args:
        folder: created by `open` if missing. The caller holds its lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._added: set[str] = set()

    def open(self) -> None:
        """Check the folder, and create it if missing.

        Raises:
            IndexFormatError: the folder's `index.json` was not written by twinvec.
        """
        check_manifest(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write_array(self, kind: str, rows: NDArray[Any]) -> Shard:
        """Write a shard of an array; see `write`."""
        return self.write(kind, "npy", to_npy(rows), len(rows))

    def write(self, kind: str, suffix: str, content: bytes, rows: int) -> Shard:
        """Write a shard; see `add`."""
        sha256 = hashlib.sha256(content).hexdigest()
        shard = Shard(f"{kind}-{sha256[:16]}.{suffix}", rows, len(content), sha256)
        self.add(shard, content)
        return shard

    def add(self, shard: Shard, content: bytes) -> None:
        """Write the content of a shard.

        Raises:
            TwinvecError: another program replaced this index during the write.
            OSError: writing failed, for example because the disk is full.
        """
        if not (self.folder / shard.file).exists():
            self._added.add(shard.file)
        self._write(shard.file, content, sync_parent=False)

    def write_temporary(self, rows: NDArray[Any]) -> str:
        """Write an array for this writer alone, deleted by a `commit`, if need be of a later run.

        Returns:
            the file's name, for `open_temporary`.
        """
        file = part_of(self.folder / "postings.npy")
        self._added.add(file.name)
        with naming_full_disk(self.folder):
            file.write_bytes(to_npy(rows))
        return file.name

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
        listed = {shard.file for shard in manifest.files}
        if not all((self.folder / name).is_file() for name in listed):
            raise self._replaced_by_another()
        sync_folder(self.folder)  # a crash must not keep `index.json` and lose files that it lists
        self._write(MANIFEST, manifest.to_json())
        sync_folder(self.folder.parent)  # the folder may be new
        self._added.clear()
        for file in self.folder.iterdir():
            if _is_own(file) and file.name not in listed:
                file.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete new files that were not committed, unless another program's index lists them."""
        with suppress(OSError):  # the next commit deletes the rest
            file = self.folder / MANIFEST
            listed = file.read_bytes() if file.exists() else b""
            for name in self._added:
                if name.encode() not in listed:
                    (self.folder / name).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes, *, sync_parent: bool = True) -> None:
        try:
            with naming_full_disk(self.folder):
                write_file(self.folder / name, content, sync_parent=sync_parent)
        except FileNotFoundError as err:
            raise self._replaced_by_another() from err

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


def _is_own(file: Path) -> bool:
    """Check by its name whether a file is a shard, or an unfinished file."""
    if target_name(file) or file.name == f"{MANIFEST}.part":
        return True
    return OWN_NAME.fullmatch(file.name.removesuffix(".part")) is not None  # of earlier versions
