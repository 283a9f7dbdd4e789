"""Write files so that a crash leaves the old content or the new, and keep two runs apart.

Unfinished files and folders lie beside their target, under names that no other run uses:
`.NAME.0123456789abcdef.twinvec-part`. After a crash, the next run that locks the target deletes
them::

    with locked(target):
        with replacing(target) as part:
            part.write_bytes(content)
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from twinvec.errors import TwinvecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

PART_SUFFIX = ".twinvec-part"

CACHE_WAIT_SECONDS = 600.0
"""Time to wait for another run that writes the same file of the cache."""

_PART = re.compile(rf"\.(.+)\.[0-9a-f]{{16}}{re.escape(PART_SUFFIX)}", re.DOTALL)


@contextmanager
def locked(target: Path, *, wait_seconds: float = 0) -> Iterator[None]:
    """Keep other runs from writing a file or folder, and delete what a crashed one left beside it.

    Some network drives have no locks, and Pyodide needs none. There nothing is deleted, since
    another run may still write it.

    Args:
        target: need not exist; its parents are created.
        wait_seconds: time to wait for another run.

    Raises:
        TwinvecError: another run holds the lock.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        from filelock import FileLock, Timeout  # not installed in Pyodide
    except ImportError:
        yield
        return
    file = target.with_name(f".{target.name}.twinvec-lock")
    lock = FileLock(file, timeout=wait_seconds)
    try:
        lock.acquire()
        delete_parts(target)
    except Timeout as err:
        raise TwinvecError(
            f"another run is writing {target}, and holds {file}; wait until it is done, or end it"
        ) from err
    except (OSError, NotImplementedError):
        pass  # the drive has no locks
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows cannot delete an open file; filelock does it later
                file.unlink()
            lock.release()


@contextmanager
def replacing(target: Path, *, sync_parent: bool = True) -> Iterator[Path]:
    """Yield the path of a new file, which replaces `target` at the end of the block.

    Content and name are on the disk then, also if the power fails. An exception leaves `target`
    unchanged.

    Args:
        target: a file in an existing folder.
        sync_parent: False for one of many files whose folder `sync_folder` writes out later.
    """
    part = part_of(target)
    try:
        yield part
        with part.open("r+b") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    if sync_parent:
        sync_folder(target.parent)


def write_file(target: Path, content: bytes, *, sync_parent: bool = True) -> None:
    """Write a file completely, or not at all; see `replacing`."""
    with replacing(target, sync_parent=sync_parent) as part:
        part.write_bytes(content)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Create a folder beside `target`, for the work on it; it is deleted at the end of the block.

    It may be renamed to `target` before.
    """
    folder = part_of(target)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def part_of(target: Path) -> Path:
    """Return a new temporary name beside `target`."""
    return target.with_name(f".{target.name}.{os.urandom(8).hex()}{PART_SUFFIX}")


def target_name(part: Path) -> str | None:
    """Return the name that a temporary file or folder was made for; None for any other file."""
    match = _PART.fullmatch(part.name)
    return match[1] if match else None


def delete_parts(target: Path) -> None:
    """Delete temporary files and folders that a crash left beside `target`.

    Only the holder of the lock may call it.
    """
    for part in target.parent.glob(f".*{PART_SUFFIX}"):
        if target_name(part) != target.name:
            continue
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def open_regular(file: Path) -> BinaryIO:
    """Open a file for reading; a pipe would wait for a writer, and a device may never end.

    Raises:
        OSError: it is no regular file, or cannot be read.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(file))
    return file.open("rb")


def sync_folder(folder: Path) -> None:
    """Write a folder's names out to the disk; on Windows they need not be."""
    with suppress(OSError):  # Windows opens no folders, and some drives sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Write all files and names in a folder out to the disk."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())
