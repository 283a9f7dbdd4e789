"""The preview server answers this machine only, with the types that browsers insist on."""

from __future__ import annotations

import mimetypes
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from twinvec.site.serve import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
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
def serving(folder: Path, *, isolated: bool = False) -> Iterator[str]:
    with make_server(folder, 0, isolated=isolated) as server:
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


@pytest.mark.parametrize("path", ["/absent.js", "/../secret", "/%2e%2e/secret"])
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
