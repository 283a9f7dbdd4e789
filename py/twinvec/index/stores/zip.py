"""An index as one file: a ZIP archive of its folder.

Archives written here are not compressed, so that a few lines can be read without unpacking.
"""

from __future__ import annotations

import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.errors import IndexFormatError, TwinvecError
from twinvec.files.atomic import locked, open_regular, replacing, temporary_folder
from twinvec.index.format import DAMAGED, MANIFEST
from twinvec.index.stores.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinvec.index.stores.base import ByteProgress, Part

UNIX = 3  # the system of an archive's file modes


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
            with self._opened() as archive:
                names = archive.namelist()
        except Exception as err:  # as in `_read`
            raise IndexFormatError(f"{path} cannot be read as a ZIP archive ({err})") from err
        manifests = [name for name in names if name.rpartition("/")[2] == MANIFEST]
        if len(manifests) != 1:
            raise IndexFormatError(f"{path} holds {len(manifests)} files {MANIFEST}, not one index")
        self._prefix = manifests[0].removesuffix(MANIFEST)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        with open_regular(self.path) as stream, zipfile.ZipFile(stream) as archive:
            yield archive

    def _read(self, part: Part) -> bytes:
        try:
            with self._opened() as archive:
                info = archive.getinfo(self._prefix + part.file)
                _check_compression(info)
                with archive.open(info) as stream:
                    return self._read_from(stream, info.file_size, part)
        except TwinvecError:
            raise
        # Damage has no class of its own: zlib.error, EOFError, RuntimeError if encrypted, ...
        except Exception as err:
            raise IndexFormatError(f"{self.path}: {part.file}: {err!r}. {DAMAGED}") from err


def _check_compression(info: zipfile.ZipInfo) -> None:
    """Refuse methods that unpack without a limit, whatever size is asked for."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"compression {info.compress_type}; pack it again with deflate")


@contextmanager
def saving(location: Path | str) -> Iterator[Path]:
    """Yield the folder to save into. For an archive it is a temporary one, packed at the end.

    The same index gives the same archive, byte for byte.

    Raises:
        TwinvecError: another run is writing the archive.
    """
    target = Path(location)
    if not is_archive(target):
        yield target
        return
    target = target.resolve()
    with locked(target), temporary_folder(target) as temporary:
        folder = temporary / "index"
        yield folder
        with replacing(target) as part:
            _pack(folder, part)
            shutil.rmtree(folder)  # while the old archive is still there: halves the space needed


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            info = zipfile.ZipInfo(file.name)  # of 1980
            info.create_system, info.external_attr = UNIX, 0o644 << 16  # on Windows too
            info.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(info, "w") as member:
                shutil.copyfileobj(source, member)
