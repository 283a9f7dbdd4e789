"""An index on a web server, with range requests and without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import serving
from indexes import DAMAGE, KINDS, results, shard_of, small_index, use_all, write_small_shards
from twinvec import DownloadError, Index, IndexFormatError, IntegrityError
from twinvec.index.manifest import Manifest
from twinvec.index.stores.base import Part
from twinvec.index.stores.url import UrlStore
from twinvec.site.serve import running


class WholeFiles(SimpleHTTPRequestHandler):
    """A server that ignores `Range`, as Python's own does."""

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def serving_whole_files(folder: Path) -> Iterator[str]:
    handler = partial(WholeFiles, directory=str(folder))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        yield address


SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "ranges": serving,
    "whole files": serving_whole_files,
}


@pytest.mark.parametrize("server", SERVERS)
def test_a_url_is_opened(tmp_path: Path, server: str) -> None:
    write_small_shards(tmp_path, "int8")
    with SERVERS[server](tmp_path) as address:
        loaded = Index.load(address)
        assert results(loaded) == results(Index.load(tmp_path))
        with pytest.raises(DownloadError, match="the server answered 404"):
            Index.load(f"{address}no/such/")
    with pytest.raises(DownloadError, match="cannot be reached"):
        Index.load(address)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, damage: str, server: str) -> None:
    small_index("int8").save(tmp_path)
    file = shard_of(tmp_path, kind)
    spoil, error = DAMAGE[damage]
    spoil(file)
    with SERVERS[server](tmp_path) as address, pytest.raises(error, match=file.name):
        use_all(address)


class Hostile(SimpleHTTPRequestHandler):
    """A server that sends more than it should, or too slowly, for files of a kind."""

    kind = ""
    fault = ""
    ended = threading.Event()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        if not self.path.startswith(f"/{self.kind}"):
            super().do_GET()
            return
        try:
            self.send_faulty()
        except OSError:
            pass  # the client has hung up
        finally:
            self.close_connection = True

    def send_faulty(self) -> None:
        if self.fault == "headers":
            self.trickle(b"HTTP/1.0 200 OK\r\nX-Long: ")
            return
        file = Path(self.translate_path(self.path))
        ranged = "Range" in self.headers and self.fault == "endless range"
        self.send_response(206 if ranged else 200)
        self.end_headers()
        if self.fault == "trickle":
            self.trickle(b"")
            return
        self.wfile.write(file.read_bytes())
        while not self.ended.wait(0):
            self.wfile.write(bytes(1 << 16))

    def trickle(self, start: bytes) -> None:
        self.wfile.write(start)
        while not self.ended.wait(0.02):
            self.wfile.write(b"a")
            self.wfile.flush()


@contextmanager
def serving_faults(folder: Path, kind: str, fault: str) -> Iterator[str]:
    faults = {"kind": kind, "fault": fault, "ended": threading.Event()}
    handler = partial(type("Faults", (Hostile,), faults), directory=str(folder))
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        try:
            yield address
        finally:
            faults["ended"].set()  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", ["endless", "endless range"])
@pytest.mark.parametrize("kind", ["codes", "documents", "lengths", "postings"])
def test_no_more_is_read_than_was_promised(tmp_path: Path, kind: str, fault: str) -> None:
    small_index("int8").save(tmp_path)
    name = shard_of(tmp_path, kind).name
    message = rf"{name}: hash mismatch: expected \d+ bytes, found more than \d+ bytes"
    with (
        serving_faults(tmp_path, kind, fault) as address,
        pytest.raises(IntegrityError, match=message),
    ):
        use_all(address)


def test_an_endless_manifest_is_an_error(tmp_path: Path) -> None:
    small_index("int8").save(tmp_path)
    with (
        serving_faults(tmp_path, "index.json", "endless") as address,
        pytest.raises(IndexFormatError, match=r"index\.json has 67108865 bytes, more than"),
    ):
        Index.load(address)


@pytest.mark.parametrize("fault", ["headers", "trickle"])
@pytest.mark.parametrize("kind", ["index.json", "codes", "documents"])
def test_a_server_that_trickles_is_given_up(tmp_path: Path, kind: str, fault: str) -> None:
    small_index("int8").save(tmp_path)
    message = (
        rf"{kind}.* cannot be reached \(too slow: \d+ bytes in .* s; after 0\.3 s, 10,000 bytes"
    )
    with serving_faults(tmp_path, kind, fault) as address:
        store = UrlStore(address, grace_seconds=0.3)
        part = Part()
        if kind != "index.json":
            shards = Manifest.from_json((tmp_path / "index.json").read_bytes()).shards
            part = Part(shards[kind][0])
        with pytest.raises(DownloadError, match=message):
            store.read([part])
