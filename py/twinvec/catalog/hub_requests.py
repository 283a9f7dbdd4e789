"""Requests to the Hugging Face Hub, of limited size and duration.

`huggingface_hub` would name files after the server's ETag, read answers of any size, and wait for
as long as the server asks. So only its HTTP client is used, with the user's proxy and token. What
the Hub announces is checked before it becomes a file's name or a limit.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from huggingface_hub import constants, get_session, hf_hub_url
from huggingface_hub.utils import build_hf_headers, tqdm

from twinvec.download import in_time
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

COMMIT = re.compile("[0-9a-f]{40}")

MAX_LISTING_BYTES = 1 << 24
"""Largest list of a model's files."""

_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_ATTEMPTS = 5  # in which nothing more of a file arrived
_MAX_REDIRECTS = 10
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class HubFile:
    """A file as the Hub announces it."""

    path: str
    """Path in the model's repository."""
    bytes: int
    digest: str
    """SHA-256 of its content, or git's SHA-1; lower-case hexadecimal."""


@dataclass(frozen=True)
class Listing:
    """The files of a revision, as the Hub announces them."""

    commit: str
    entries: Mapping[str, Any]
    """path -> facts of the file, unchecked."""

    def file(self, path: str) -> HubFile:
        """Check the facts of a file.

        Raises:
            IntegrityError: its size or hash is missing, or is not a size or hash.
        """
        entry = self.entries[path]
        facts = entry.get("lfs") or {"sha256": entry.get("blobId"), "size": entry.get("size")}
        size, digest = (facts.get(key) for key in ("size", "sha256")) if _is_map(facts) else (0, 0)
        if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise IntegrityError(path, "none announced", "nothing", _NO_FACTS)
        if not (type(size) is int and size >= 0):
            raise IntegrityError(path, f"{digest}, of unknown size", "nothing", _NO_FACTS)
        return HubFile(path, size, digest)


_NO_FACTS = "The server does not announce the size and hash of its files as the Hub does."


def list_files(name: str, revision: str, *, grace_seconds: float) -> Listing:
    """Ask the Hub for a revision's commit and its files.

    Raises:
        ModelNotFoundError: the model or its revision does not exist.
        DownloadError: the Hub cannot be reached, or its answer is not such a list.
    """
    url = f"{constants.ENDPOINT}/api/models/{name}/revision/{quote(revision, safe='')}?blobs=true"
    seconds = constants.HF_HUB_ETAG_TIMEOUT
    try:
        content = in_time(lambda count: _read(url, seconds, count), grace_seconds)
        answer = json.loads(content)
        commit = answer["sha"]
        entries = {entry["rfilename"]: entry for entry in answer["siblings"] if _is_map(entry)}
    except ModelNotFoundError as err:
        raise ModelNotFoundError(f"the Hub does not have {name} at {revision}: {err}") from err
    except (KeyError, TypeError, AttributeError, RecursionError) as err:
        raise DownloadError(
            f"the Hugging Face Hub's answer for {name} is not a list of its files; a proxy may "
            "have altered it: try another network"
        ) from err
    except Exception as err:  # classes of its HTTP library, which changed between releases
        raise DownloadError(f"the Hugging Face Hub cannot be reached ({err})") from err
    if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
        raise DownloadError(f"the Hugging Face Hub names {commit!r} as the commit of {name}")
    if COMMIT.fullmatch(revision) and commit != revision:
        raise IntegrityError(f"the revision of {name}", revision, commit)
    return Listing(commit, entries)


def save_file(name: str, commit: str, file: HubFile, target: Path, *, grace_seconds: float) -> None:
    """Download one file; its content is not checked.

    Raises:
        DownloadError: the file cannot be downloaded.
        IntegrityError: the server sends more bytes than were announced.
    """
    url = hf_hub_url(name, file.path, revision=commit)
    with tqdm(total=file.bytes, unit="B", unit_scale=True, desc=file.path) as bar:

        def save(count: Callable[[int], None]) -> None:
            def receive(byte_count: int) -> None:
                count(byte_count)
                bar.update(byte_count)

            _save(url, file, target, receive)

        try:
            in_time(save, grace_seconds)
        except (IntegrityError, ModelNotFoundError):
            raise
        except Exception as err:  # as above
            reason = " ".join(str(err).split())
            raise DownloadError(
                f"{file.path} of {name} cannot be downloaded ({reason}); try again later"
            ) from err


def _save(url: str, file: HubFile, target: Path, receive: Callable[[int], None]) -> None:
    """Save a file, and continue where an interrupted answer ended."""
    attempts = _MAX_ATTEMPTS
    with target.open("wb") as out:
        while True:
            start = out.tell()
            try:
                _append(url, file, out, receive)
            except (DownloadError, ModelNotFoundError, TimeoutError):
                raise
            except Exception:  # as above
                attempts = _MAX_ATTEMPTS if out.tell() > start else attempts - 1
                if not attempts:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return


def _append(url: str, file: HubFile, out: BinaryIO, receive: Callable[[int], None]) -> None:
    headers = {"Range": f"bytes={out.tell()}-"} if out.tell() else {}
    with _answer(url, constants.HF_HUB_DOWNLOAD_TIMEOUT, headers) as response:
        if headers and response.status_code != 206:  # the whole file comes again
            out.seek(0)
            out.truncate()
        for chunk in response.iter_bytes():  # as they arrive
            receive(len(chunk))
            if out.tell() + len(chunk) > file.bytes:
                more = f"more than the announced {file.bytes:,} bytes"
                raise IntegrityError(file.path, file.digest, more)
            out.write(chunk)


def _read(url: str, timeout_seconds: float, count: Callable[[int], None]) -> bytes:
    content = bytearray()
    with _answer(url, timeout_seconds) as response:
        for chunk in response.iter_bytes():
            count(len(chunk))
            content += chunk
            if len(content) > MAX_LISTING_BYTES:
                raise OSError(f"its answer is larger than {MAX_LISTING_BYTES:,} bytes")
    return bytes(content)


@contextmanager
def _answer(
    url: str, timeout_seconds: float, headers: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """Request a URL; yield the response, whose body is not read yet.

    Raises:
        ModelNotFoundError: the model or its revision does not exist.
        DownloadError: the server refuses the request.
        OSError: the server failed.
    """
    # The client would read the bodies of redirects, of any size, if it followed them by itself.
    session = get_session()
    sent = {**build_hf_headers(), "Accept-Encoding": "identity", **(headers or {})}
    request = session.build_request("GET", url, headers=sent, timeout=timeout_seconds)
    for _ in range(_MAX_REDIRECTS):
        response = session.send(request, stream=True, follow_redirects=False)
        if response.next_request is None:
            break
        response.close()
        request = response.next_request
    try:
        _check_status(response)
        yield response
    finally:
        response.close()


def _check_status(response: Any) -> None:
    status, headers = response.status_code, response.headers
    if status in (200, 206):
        return
    if status >= 500:
        raise OSError(f"the server answered {status}")
    absent = headers.get("X-Error-Code") in ("RepoNotFound", "RevisionNotFound")
    if absent or (status == 401 and "/api/" in response.url.path):  # as for absent and private ones
        raise ModelNotFoundError(f"the server answered {status}")
    reason = {
        403: " (ask for access on the model's page, and log in with `hf auth login`)",
        429: f" (too many requests; try again in {headers.get('Retry-After', 'some')} seconds)",
    }
    raise DownloadError(f"the server answered {status}{reason.get(status, '')}")


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)
