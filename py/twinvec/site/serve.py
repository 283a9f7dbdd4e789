"""A static server for trying a site on this computer. Not for production."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from twinvec.site.compress import brotli_path

# Other forms of a range get the whole file, which HTTP allows. No file has a size of 19 digits.
SINGLE_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
# A page elsewhere can point its own name at this computer, but its requests carry that name.
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]*)?", re.IGNORECASE)
WRONG_HOST = "This server answers to localhost, 127.0.0.1 and [::1] only. Open one of these."
BLOCK_BYTES = 1 << 18
POLL_SECONDS = 0.02  # in which `running` ends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BytesIO
    from typing import BinaryIO


class StaticHandler(SimpleHTTPRequestHandler):
    """Sends files of one folder: Brotli where a browser accepts it, and ranges of bytes.

    Requests by another name than this computer's are refused. Links out of the folder are not
    followed, and folders are not listed.

    Example:
        >>> options = {"directory": "public", "isolated": False, "follow_links": False}
        >>> handler = partial(StaticHandler, **options)
        >>> ThreadingHTTPServer(("127.0.0.1", 8000), handler).serve_forever()
    """

    timeout = 60  # seconds without progress, after which a connection is closed

    # Not the system's own table, which on Windows may have text/plain for .js.
    extensions_map = {  # noqa: RUF012 (as the base class declares it)
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".mjs": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        ".zip": "application/zip",
    }

    def __init__(self, *args: Any, isolated: bool, follow_links: bool, **kwargs: Any) -> None:
        self._isolated = isolated
        self._follow_links = follow_links
        self._sends_brotli = False
        self._range_bytes: int | None = None
        super().__init__(*args, **kwargs)

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Send the headers of a file, its Brotli form or a range; return the open file."""
        self._sends_brotli, self._range_bytes = False, None
        host = self.headers.get("Host")
        if host is not None and not LOCAL_HOST.fullmatch(host):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, explain=WRONG_HOST)
            return None
        path = self.translate_path(self.path)
        if path.endswith("/") or not self._is_served(path):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        file = Path(path)
        byte_range = SINGLE_RANGE.fullmatch(self.headers.get("Range", ""))
        if byte_range and file.is_file() and self.command == "GET" and not self.headers["If-Range"]:
            return self.send_range(file, int(byte_range[1]), byte_range[2])
        accepts_brotli = "br" in self.headers.get("Accept-Encoding", "")
        self._sends_brotli = (
            accepts_brotli and file.is_file() and self._is_served(str(brotli_path(file)))
        )
        return super().send_head()

    def send_range(self, file: Path, start: int, last: str) -> BinaryIO | None:
        """Send the headers of a range; return the open file, or None if there is nothing to send.

        Args:
            file: the file that was requested.
            start: first byte.
            last: last byte, "" for the end of the file.
        """
        size = file.stat().st_size
        stop = min(int(last) + 1, size) if last else size
        if start >= stop:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        try:
            stream = file.open("rb")
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        stream.seek(start)
        self._range_bytes = stop - start
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(self._range_bytes))
        self.end_headers()
        return stream

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send the open file, or the requested range, in blocks."""
        remaining = self._range_bytes
        if remaining is None:
            super().copyfile(source, outputfile)
            return
        while block := source.read(min(BLOCK_BYTES, remaining)):
            outputfile.write(block)
            remaining -= len(block)

    def translate_path(self, path: str) -> str:
        """Map an address to the path of the file to send; a folder's is its `index.html`."""
        local = super().translate_path(path)
        if local.endswith("/") and os.path.isdir(local):  # noqa: PTH112 (Path drops the slash)
            local += "index.html"
        return local + (".br" if self._sends_brotli else "")

    def guess_type(self, path: Any) -> str:
        """Return the content type, of a Brotli form that of its content."""
        return super().guess_type(str(path).removesuffix(".br"))

    def end_headers(self) -> None:
        """Add the headers that every response has."""
        if self._sends_brotli:
            self.send_header("Content-Encoding", "br")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "no-cache")  # rebuilt files are seen at once
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def _is_served(self, path: str) -> bool:
        """Check that a path names a file or folder, and lies in the served folder."""
        try:
            target = Path(path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # absent, a NUL in its name, a loop of links
            return False
        inside = target.is_relative_to(Path(self.directory).resolve())
        return (inside or self._follow_links) and (target.is_file() or target.is_dir())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no successful requests; `log_error` logs errors."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a visitor who left during a download."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    """Let a server answer requests in a thread; yield its address, and close it at the end."""
    thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    with server:
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def make_server(
    folder: Path, port: int, *, isolated: bool = False, follow_links: bool = False
) -> ThreadingHTTPServer:
    """Return a server that only this computer can reach; its `serve_forever` answers requests.

    Args:
        folder: folder to serve.
        port: port to listen on, or 0 for any free one.
        isolated: send the headers that make a page cross-origin isolated.
        follow_links: send files outside the folder that a link in it points to.

    Raises:
        OSError: the port is in use.
    """
    handler = partial(
        StaticHandler, directory=str(folder), isolated=isolated, follow_links=follow_links
    )
    return _Server(("127.0.0.1", port), handler)
