"""A small static server for looking at a site on this machine. Not for production."""

from __future__ import annotations

import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.site.compress import brotli_of

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")  # others get the whole file, as they may

if TYPE_CHECKING:
    from io import BytesIO
    from typing import BinaryIO

__all__ = ["make_server"]


class _Handler(SimpleHTTPRequestHandler):
    # Given here, not left to the machine's own table, which on Windows may say text/plain for .js.
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
        self._brotli = False
        self._left: int | None = None
        super().__init__(*args, **kwargs)

    def send_head(self) -> BytesIO | BinaryIO | None:
        file = Path(super().translate_path(self.path))
        self._left = None
        if file.is_file() and (asked := _RANGE.fullmatch(self.headers.get("Range", ""))):
            return self._send_range(file, int(asked[1]), asked[2])
        both = file.is_file() and brotli_of(file).is_file()
        self._brotli = both and "br" in self.headers.get("Accept-Encoding", "")
        return super().send_head()

    def _send_range(self, file: Path, start: int, last: str) -> BinaryIO | None:
        size = file.stat().st_size
        stop = min(int(last) + 1, size) if last else size
        self._brotli = False
        if start >= stop:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        stream = file.open("rb")
        stream.seek(start)
        self._left = stop - start
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(self._left))
        self.end_headers()
        return stream

    def copyfile(self, source: Any, outputfile: Any) -> None:
        if self._left is None:
            super().copyfile(source, outputfile)
        else:
            outputfile.write(source.read(self._left))

    def translate_path(self, path: str) -> str:
        return super().translate_path(path) + (".br" if self._brotli else "")

    def guess_type(self, path: Any) -> str:
        return super().guess_type(str(path).removesuffix(".br"))

    def end_headers(self) -> None:
        if self._brotli:
            self.send_header("Content-Encoding", "br")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "no-cache")  # a rebuilt file must not be missed
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing for what went well; errors are logged by `log_error`."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a visitor who left in the middle of a download."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(folder: Path, port: int, *, isolated: bool = False) -> ThreadingHTTPServer:
    """Bind a server to this machine only; `serve_forever` on it answers requests.

    Args:
        folder: what to serve.
        port: 0 for any free one.
        isolated: send the headers that make a page cross-origin isolated.

    Raises:
        OSError: the port is in use.
    """
    handler = partial(_Handler, directory=str(folder), isolated=isolated)
    return _Server(("127.0.0.1", port), handler)
