"""An index as one file: a ZIP archive of its folder.

Archives written here are not compressed, so that a few lines can be read without unpacking.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.errors import IndexFormatError
from twinvec.index.format import DAMAGED, MANIFEST
from twinvec.index.stores.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinvec.index.stores.base import ByteProgress, Part


def is_archive(location: Path | str) -> bool:
    """Check by its name whether a location is an archive."""
    return str(location).lower().endswith(".zip")


class ZipStore(FolderStore):
    """The files in an archive, written by `saving` or by any other program.

    Raises:
        IndexFormatError: the file is not a ZIP archive, or does not hold exactly one index.
    """

    def __init__(self, path: Path, progress: ByteProgress | None = None) -> None:
        super().__init__(path, progress)
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except Exception as err:  # as in `_read`
            raise IndexFormatError(f"{path} cannot be read as a ZIP archive ({err})") from err
        manifests = [name for name in names if name.rpartition("/")[2] == MANIFEST]
        if len(manifests) != 1:
            raise IndexFormatError(f"{path} holds {len(manifests)} files {MANIFEST}, not one index")
        self._prefix = manifests[0].removesuffix(MANIFEST)

    def _read(self, part: Part) -> bytes:
        try:
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self._prefix + part.file) as stream,
            ):
                stream.seek(part.start)
                return stream.read(-1 if part.stop is None else part.stop - part.start)
        # Damage has no class of its own: zlib.error, EOFError, RuntimeError if encrypted, ...
        except Exception as err:
            raise IndexFormatError(f"{self.path}: {part.file}: {err!r}. {DAMAGED}") from err


@contextmanager
def saving(location: Path | str) -> Iterator[Path]:
    """Yield the folder to save into. For an archive it is a temporary one, packed at the end."""
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
        shutil.rmtree(folder)  # before the archive replaces the old one: halves the space needed
        part.replace(target)
