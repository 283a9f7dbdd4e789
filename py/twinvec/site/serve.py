"""A static server for trying a site on this computer. Not for production."""

from __future__ import annotations

import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.site.compress import brotli_path

# Other forms of a range get the whole file, which HTTP allows.
SINGLE_RANGE = re.compile(r"bytes=(\d+)-(\d*)")

if TYPE_CHECKING:
    from io import BytesIO
    from typing import BinaryIO


class StaticHandler(SimpleHTTPRequestHandler):
    """Sends files of one folder: Brotli where a browser accepts it, and ranges of bytes.

    Example:
        >>> handler = partial(StaticHandler, directory="public", isolated=False)
        >>> ThreadingHTTPServer(("127.0.0.1", 8000), handler).serve_forever()
    """

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

    def __init__(self, *args: Any, isolated: bool, **kwargs: Any) -> None:
        self._isolated = isolated
        self._sends_brotli = False
        self._range_bytes: int | None = None
        super().__init__(*args, **kwargs)

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Send the headers of a file, its Brotli form or a range; return the open file."""
        file = Path(super().translate_path(self.path))
        self._range_bytes = None
        byte_range = SINGLE_RANGE.fullmatch(self.headers.get("Range", ""))
        if file.is_file() and byte_range:
            return self.send_range(file, int(byte_range[1]), byte_range[2])
        compressed = file.is_file() and brotli_path(file).is_file()
        self._sends_brotli = compressed and "br" in self.headers.get("Accept-Encoding", "")
        return super().send_head()

    def send_range(self, file: Path, start: int, last: str) -> BinaryIO | None:
        """Send the headers of a range; return the open file, or None for an empty range.

        Args:
            file: the file that was requested.
            start: first byte.
            last: last byte, "" for the end of the file.
        """
        size = file.stat().st_size
        stop = min(int(last) + 1, size) if last else size
        self._sends_brotli = False
        if start >= stop:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        stream = file.open("rb")
        stream.seek(start)
        self._range_bytes = stop - start
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(self._range_bytes))
        self.end_headers()
        return stream

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send the open file, or the requested range."""
        if self._range_bytes is None:
            super().copyfile(source, outputfile)
        else:
            outputfile.write(source.read(self._range_bytes))

    def translate_path(self, path: str) -> str:
        """Map an address to the path of the file to send."""
        return super().translate_path(path) + (".br" if self._sends_brotli else "")

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

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no successful requests; `log_error` logs errors."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a visitor who left during a download."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(folder: Path, port: int, *, isolated: bool = False) -> ThreadingHTTPServer:
    """Return a server that only this computer can reach; its `serve_forever` answers requests.

    Args:
        folder: folder to serve.
        port: port to listen on, or 0 for any free one.
        isolated: send the headers that make a page cross-origin isolated.

    Raises:
        OSError: the port is in use.
    """
    handler = partial(StaticHandler, directory=str(folder), isolated=isolated)
    return _Server(("127.0.0.1", port), handler)
