"""Write the files of an index: shards of bounded size, and the replacement of one index by another.

What is written lies beside what is there, under names that no older file has; `commit` replaces
`index.json` in one step and only then deletes what it no longer lists. So at every moment the
folder holds one whole index, the old one or the new one. A writer that gives up takes away what it
added itself, and nothing else: it need not know what is there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinvec.errors import IndexFormatError, TwinvecError
from twinvec.index.format import MANIFEST, OWN_NAME, Shard, columns, row_bytes, to_npy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from twinvec.index.format import Manifest

__all__ = [
    "LinesWriter",
    "NewFiles",
    "TableWriter",
    "check_folder",
    "check_manifest",
    "naming",
    "replace_folder",
]

_SHARD = 1 << 24  # bytes; what is loaded whole
_DOCUMENTS = 1 << 22  # bytes; a server without ranges sends it whole for one line
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_manifest(folder: Path) -> None:
    """Check that a folder's `index.json` is twinvec's, of any version, or that there is none.

    Raises:
        IndexFormatError: it is another program's, or damaged.
        OSError: it cannot be read.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return
    try:
        block = json.loads(content)
    except ValueError:
        block = None
    # Version 1 had its texts there.
    if not (isinstance(block, dict) and "version" in block and block.keys() & {"shards", "texts"}):
        raise IndexFormatError(
            f"{folder / MANIFEST} would be replaced, and is not that of an index, or is damaged; "
            "move it away, or choose another folder"
        )


def check_folder(folder: Path) -> None:
    """Check that a folder is an index, or free to become one; what a crash left does not count.

    Raises:
        IndexFormatError: something else is in it.
        OSError: it cannot be read.
    """
    check_manifest(folder)
    if folder.is_dir() and not (folder / MANIFEST).exists():
        if all(map(_is_shard, folder.iterdir())):
            return
        raise IndexFormatError(f"{folder} is not empty and not an index; choose another folder")


def replace_folder(folder: Path, source: Path) -> None:
    """Copy a folder in the place of an index, which stays whole until the copy is.

    Raises:
        IndexFormatError: what is there is not an index.
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
def naming(place: Path) -> Iterator[None]:
    """Name a place in the errors of its full disk, which do not say where they come from."""
    try:
        yield
    except OSError as err:
        if err.filename is None and err.errno in _FULL:
            raise OSError(err.errno, err.strerror, str(place)) from err
        raise


class NewFiles:
    """The files that one writer adds to a folder, which is made if it is not there.

    Raises:
        IndexFormatError: the folder's `index.json` is another program's.
    """

    def __init__(self, folder: Path) -> None:
        check_manifest(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._added: set[str] = set()

    def array(self, kind: str, rows: NDArray[Any]) -> Shard:
        """Write one shard of an array."""
        return self.write(kind, "npy", to_npy(rows), len(rows))

    def write(self, kind: str, suffix: str, content: bytes, rows: int) -> Shard:
        """Write one shard.

        Raises:
            TwinvecError: another program wrote this index meanwhile.
            OSError: the disk is full, or the like.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        shard = Shard(f"{kind}-{sha256[:16]}.{suffix}", rows, len(content), sha256)
        if not (self.folder / shard.file).exists():
            self._added.add(shard.file)
        self._replace(shard.file, content)
        return shard

    def put_aside(self, rows: NDArray[Any]) -> str:
        """Write an array for this writer alone; `commit` deletes it, after a crash the next one."""
        name = f"aside-{os.urandom(8).hex()}.npy.part"
        self._added.add(name)
        with naming(self.folder):
            (self.folder / name).write_bytes(to_npy(rows))
        return name

    def aside(self, name: str) -> NDArray[Any]:
        """Open what was put aside, without reading it.

        Raises:
            TwinvecError: another program wrote this index meanwhile.
        """
        try:
            array: NDArray[Any] = np.load(self.folder / name, mmap_mode="r")
        except FileNotFoundError as err:
            raise self._overtaken() from err
        return array

    def commit(self, manifest: Manifest) -> None:
        """Make what was written the folder's index, and delete what is no longer of it.

        Raises:
            TwinvecError: another program wrote this index meanwhile, which stays.
            OSError: the disk is full, or the like.
        """
        listed = {shard.file for some in manifest.shards.values() for shard in some}
        if not all((self.folder / name).is_file() for name in listed):
            raise self._overtaken()
        self._replace(MANIFEST, manifest.to_json())
        self._added.clear()
        for file in self.folder.iterdir():
            if _is_shard(file) and file.name not in listed:
                file.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what was added and not committed, but for what another program's index lists."""
        with suppress(OSError):  # what cannot be deleted now goes with the next commit
            file = self.folder / MANIFEST
            others = file.read_bytes() if file.exists() else b""
            for name in self._added:
                if name.encode() not in others:
                    (self.folder / name).unlink(missing_ok=True)

    def _replace(self, name: str, content: bytes) -> None:
        """Write a file whole, or not at all."""
        part = self.folder / f"{name}.part"
        try:
            with naming(self.folder), part.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self.folder / name)
        except FileNotFoundError as err:
            raise self._overtaken() from err
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise

    def _overtaken(self) -> TwinvecError:
        return TwinvecError(
            f"files of {self.folder} are gone that were just written: another program wrote this "
            "index meanwhile, and its index stays. Run it again, one after the other."
        )


class TableWriter:
    """Shards of one kind of array, written as rows come."""

    def __init__(self, files: NewFiles, kind: str, dim: int) -> None:
        self.shards: list[Shard] = []
        self._files, self._kind = files, kind
        self._dtype, self._shape = columns(kind, dim)
        self._rows = max(1, _SHARD // row_bytes(kind, dim))
        self._waiting: list[NDArray[Any]] = []
        self._count = 0

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows; they are copied, since the caller may fill the same array again."""
        self._waiting.append(rows.astype(self._dtype, casting="same_kind"))
        self._count += len(rows)
        while self._count >= self._rows:
            self._write(self._rows)

    def close(self) -> list[Shard]:
        """Write what is left."""
        if self._count or not self.shards:
            self._write(self._count)
        return self.shards

    def _write(self, count: int) -> None:
        none = np.empty((0, *self._shape), self._dtype)
        rows = np.concatenate([none, *self._waiting])
        self._waiting = [rows[count:].copy()]
        self._count -= count
        self.shards.append(self._files.array(self._kind, rows[:count]))


class LinesWriter:
    """Shards of documents, written as lines come."""

    def __init__(self, files: NewFiles) -> None:
        self.shards: list[Shard] = []
        self._files = files
        self._content = bytearray()
        self._rows = 0

    def append(self, line: bytes) -> int:
        """Add a line; tell where it begins in its shard."""
        if self._rows and len(self._content) + len(line) >= _DOCUMENTS:
            self._write()
        start = len(self._content)
        self._content += line + b"\n"
        self._rows += 1
        return start

    def close(self) -> list[Shard]:
        """Write what is left."""
        if self._rows or not self.shards:
            self._write()
        return self.shards

    def _write(self) -> None:
        content = bytes(self._content)
        self.shards.append(self._files.write("documents", "jsonl", content, self._rows))
        self._content, self._rows = bytearray(), 0


def _is_shard(file: Path) -> bool:
    """Tell by its name whether a file is one of an index, or a part of one; `index.json` is not."""
    return OWN_NAME.fullmatch(file.name.removesuffix(".part")) is not None
