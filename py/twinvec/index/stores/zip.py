"""An index as one file: a ZIP archive of its folder, stored, so that it is read where it lies."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.errors import IndexFormatError
from twinvec.index.format import DAMAGED, MANIFEST
from twinvec.index.stores.base import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinvec.index.stores.base import Part, Progress

__all__ = ["ZipStore", "is_archive", "saving"]


def is_archive(location: Path | str) -> bool:
    """Tell by its name whether a location is an archive."""
    return str(location).lower().endswith(".zip")


class ZipStore(FolderStore):
    """The files in an archive, packed by `saving` or by any other program.

    Raises:
        IndexFormatError: it is not a ZIP archive, or there is not one index in it.
    """

    def __init__(self, file: Path, progress: Progress | None = None) -> None:
        super().__init__(file, progress)
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except Exception as err:  # as in `_read`
            raise IndexFormatError(f"{file} cannot be read as a ZIP archive ({err})") from err
        found = [name for name in names if name.rpartition("/")[2] == MANIFEST]
        if len(found) != 1:
            raise IndexFormatError(f"{file} holds {len(found)} files {MANIFEST}, not one index")
        self._prefix = found[0].removesuffix(MANIFEST)

    def _read(self, part: Part) -> bytes:
        try:
            with (
                zipfile.ZipFile(self.folder) as archive,
                archive.open(self._prefix + part.file) as stream,
            ):
                stream.seek(part.start)
                content = stream.read(-1 if part.stop is None else part.stop - part.start)
        # zlib.error, EOFError, RuntimeError of an encrypted one: damage has no class of its own.
        except Exception as err:
            raise IndexFormatError(f"{self.folder}: {part.file}: {err!r}. {DAMAGED}") from err
        if part.stop is None and part.shard:
            part.shard.check(content)
            self._count(part)
        return content


@contextmanager
def saving(location: Path | str) -> Iterator[Path]:
    """Give the folder to save into; what is saved for an archive is packed at the end."""
    target = Path(location)
    if not is_archive(target):
        yield target
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        folder, part = Path(temporary) / "index", Path(temporary) / target.name
        yield folder
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
        shutil.rmtree(folder)  # before the archive takes its place: half the room is enough
        part.replace(target)
