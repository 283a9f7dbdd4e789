"""The preview server answers this machine only, with the types that browsers insist on."""

from __future__ import annotations

import mimetypes
import os
import socket
import threading
import tracemalloc
from contextlib import contextmanager
from email.utils import formatdate
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from twinvec.site.serve import BLOCK_BYTES, StaticHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message
    from pathlib import Path

MIME_TYPES = {
    "app.js": "text/javascript",
    "runtime/ort.mjs": "text/javascript",
    "runtime/ort.wasm": "application/wasm",
    "manifest.json": "application/json",
    "index.html": "text/html",
    "style.css": "text/css",
    "twinvec.zip": "application/zip",
}
POLL = 0.01  # seconds that a server may take to notice its shutdown
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in MIME_TYPES:
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {name}", encoding="utf-8")
    return tmp_path / "site"


@contextmanager
def serving(folder: Path, *, isolated: bool = False, follow_links: bool = False) -> Iterator[str]:
    with make_server(folder, 0, isolated=isolated, follow_links=follow_links) as server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def get(url: str) -> tuple[Message, str]:
    with urlopen(url) as response:
        return response.headers, response.read().decode()


def test_every_file_comes_with_its_type(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in ("guess_type", "guess_file_type"):  # a machine's own table, which may be wrong
        monkeypatch.setattr(mimetypes, ask, lambda *_: ("text/plain", None), raising=False)
    with serving(site) as address:
        for name, mime_type in MIME_TYPES.items():
            headers, body = get(f"{address}/{name}")
            assert headers.get_content_type() == mime_type, name
            assert body == f"this is {name}"


def test_a_folder_gives_its_index(site: Path) -> None:
    with serving(site) as address:
        headers, body = get(f"{address}/")
    assert (headers.get_content_type(), body) == ("text/html", "this is index.html")


@pytest.mark.parametrize("isolated", [False, True])
def test_isolation_is_sent_only_when_asked_for(site: Path, *, isolated: bool) -> None:
    with serving(site, isolated=isolated) as address:
        for name in ("index.html", "app.js"):
            headers, _ = get(f"{address}/{name}")
            sent = {key: headers[key] for key in ISOLATION if key in headers}
            assert sent == (ISOLATION if isolated else {})


def test_a_browser_asks_again_for_a_file_that_it_has(site: Path) -> None:
    with serving(site) as address:
        headers, _ = get(f"{address}/app.js")
    assert headers["Cache-Control"] == "no-cache"


def answer(
    address: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, Mapping[str, str], bytes]:
    """Ask for a path as it is written, and return the status, the headers and the body."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=20)
    headers = headers or {}
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


@pytest.mark.parametrize(
    "path",
    [
        *("/absent.js", "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/..%5csecret", "//secret"),
        *(
            "/app.js/",
            "/runtime/",
            "/%00",
            "/app.js%00.txt",
            "/" + 5000 * "x",
            "/%ff",
            "/%ed%a0%80",
        ),
    ],
)
def test_nothing_outside_the_folder_is_served(site: Path, path: str) -> None:
    (site.parent / "secret").write_text("secret", encoding="utf-8")
    with (
        serving(site) as address,
        pytest.raises(HTTPError, match="404") as caught,
        urlopen(address + path),
    ):
        pass
    caught.value.close()


def test_only_this_machine_is_answered(site: Path) -> None:
    with make_server(site, 0) as server:
        host, port = server.server_address[:2]
    assert host == "127.0.0.1"
    assert port != 0


@pytest.mark.parametrize("accepted", ["gzip, br", "gzip"])
def test_brotli_is_sent_where_it_is_accepted(site: Path, accepted: str) -> None:
    (site / "app.js.br").write_text("compressed", encoding="utf-8")
    with serving(site) as address:
        request = Request(f"{address}/app.js", headers={"Accept-Encoding": accepted})
        with urlopen(request) as response:
            headers, body = response.headers, response.read().decode()
        assert headers.get_content_type() == "text/javascript"
        assert headers["Vary"] == "Accept-Encoding"
        compressed = "br" in accepted
        assert headers["Content-Encoding"] == ("br" if compressed else None)
        assert body == ("compressed" if compressed else "this is app.js")


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=5-6", 206, "is", "bytes 5-6/14"),
        ("bytes=8-", 206, "app.js", "bytes 8-13/14"),
        ("bytes=8-99", 206, "app.js", "bytes 8-13/14"),
        ("bytes=14-15", 416, "", "bytes */14"),
        ("bytes=0-1,4-5", 200, "this is app.js", None),
        ("bytes=-3", 200, "this is app.js", None),
    ],
)
def test_ranges(site: Path, asked: str, status: int, content: str, told: str | None) -> None:
    (site / "app.js.br").write_text("compressed", encoding="utf-8")
    with serving(site) as address:
        request = Request(f"{address}/app.js", headers={"Range": asked})
        try:
            with urlopen(request) as response:
                found = response.status, response.read().decode(), response.headers["Content-Range"]
        except HTTPError as err:
            found = err.code, "", err.headers["Content-Range"]
            err.close()
    assert found == (status, content, told)


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_range_of_many_digits_gets_the_whole_file(site: Path, digits: int) -> None:
    with serving(site) as address:
        for asked in (f"bytes={digits * '9'}-", f"bytes=0-{digits * '9'}"):
            status, _, body = answer(address, "/app.js", {"Range": asked})
            assert (status, body) == (200, b"this is app.js")


def test_a_range_is_sent_in_blocks(site: Path) -> None:
    size = 64 * BLOCK_BYTES
    with (site / "large.bin").open("wb") as file:
        file.truncate(size)
    with serving(site) as address:
        request = Request(f"{address}/large.bin", headers={"Range": "bytes=0-"})
        tracemalloc.start()
        received = 0
        with urlopen(request) as response:
            while block := response.read(BLOCK_BYTES):
                received += len(block)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert received == size
    assert peak < size / 8


def test_a_range_that_may_be_outdated_gets_the_whole_file(site: Path) -> None:
    with serving(site) as address:
        headers = {"Range": "bytes=5-6", "If-Range": formatdate(0, usegmt=True)}
        status, _, body = answer(address, "/app.js", headers)
    assert (status, body) == (200, b"this is app.js")


def test_a_silent_client_is_left(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StaticHandler, "timeout", StaticHandler.timeout / 300)
    with serving(site) as address:
        host, port = address.removeprefix("http://").split(":")
        for begun in (b"", b"GET /app.js HTTP/1.1\r\nHost: loc"):
            with socket.create_connection((host, int(port)), timeout=20) as client:
                client.sendall(begun)
                assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]", "[::1]:8")),
        *((host, 421) for host in ("example.org", "localhost.example.org:8000", "", "127.0.0.2")),
        *((host, 421) for host in ("localhost:80@example.org", "user@localhost", "0.0.0.0:8000")),
    ],
)
def test_only_names_of_this_machine_are_answered(site: Path, host: str, status: int) -> None:
    with serving(site) as address:
        answered, _, body = answer(address, "/app.js", {"Host": host})
    assert answered == status
    assert (b"localhost, 127.0.0.1 and [::1] only" in body) == (status == 421)
    assert (body == b"this is app.js") == (status == 200)


def test_links_out_of_the_folder_are_followed_only_when_asked_for(site: Path) -> None:
    outside = site.parent / "outside"
    outside.mkdir()
    for name in ("secret", "index.html"):
        (outside / name).write_text("secret", encoding="utf-8")
    (site / "file.js").symlink_to(outside / "secret")
    (site / "folder").symlink_to(outside)
    (site / "app.js.br").symlink_to(outside / "secret")
    (site / "part").mkdir()
    (site / "part" / "index.html").symlink_to(outside / "secret")
    (site / "inner.js").symlink_to("app.js")
    (site / "loop.js").symlink_to("loop.js")
    paths = ["/file.js", "/folder/secret", "/folder/", "/part/"]
    for follow_links in (False, True):
        with serving(site, follow_links=follow_links) as address:
            answers = [answer(address, path)[0] for path in paths]
            ranges = [answer(address, path, {"Range": "bytes=0-1"})[0] for path in paths]
            _, headers, body = answer(address, "/app.js", {"Accept-Encoding": "br"})
            assert answer(address, "/inner.js")[2] == b"this is app.js"
            assert answer(address, "/loop.js")[0] == 404
        assert answers == ([200] * 4 if follow_links else [404] * 4)
        assert ranges == ([206] * 4 if follow_links else [404] * 4)
        assert (body == b"secret") == ("Content-Encoding" in headers) == follow_links


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_opened(site: Path) -> None:
    os.mkfifo(site / "pipe")
    with serving(site) as address:
        assert answer(address, "/pipe")[0] == 404


def test_folders_are_not_listed(site: Path) -> None:
    (site / "runtime" / "secret").touch()
    with serving(site) as address:
        assert answer(address, "/runtime")[:1] == (301,)
        status, _, body = answer(address, "/runtime/")
    assert status == 404
    assert b"secret" not in body


def test_the_compressed_page_of_a_folder_is_sent(site: Path) -> None:
    (site / "index.html.br").write_text("compressed", encoding="utf-8")
    with serving(site) as address:
        _, headers, body = answer(address, "/", {"Accept-Encoding": "br"})
    assert (headers["Content-Encoding"], body) == ("br", b"compressed")
    assert headers["Content-type"] == "text/html; charset=utf-8"


def test_head_gives_the_headers_of_the_whole_file(site: Path) -> None:
    with serving(site) as address:
        asked = {"Range": "bytes=5-6"}
        status, headers, body = answer(address, "/app.js", asked, "HEAD")
        _, whole, _ = answer(address, "/app.js")
        assert (status, body, answer(address, "/absent", method="HEAD")[::2]) == (
            200,
            b"",
            (404, b""),
        )
    del headers["Date"], whole["Date"]
    assert headers == whole


def test_an_unchanged_file_is_not_sent_again(site: Path) -> None:
    with serving(site) as address:
        _, headers, _ = answer(address, "/app.js")
        unchanged = {"If-Modified-Since": headers["Last-Modified"]}
        assert answer(address, "/app.js", unchanged)[::2] == (304, b"")
        changed = {"If-Modified-Since": formatdate(0, usegmt=True)}
        assert answer(address, "/app.js", changed)[::2] == (200, b"this is app.js")
