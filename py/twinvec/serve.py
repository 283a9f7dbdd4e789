"""A small static server for looking at a site on this machine. Not for production."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinvec.precompress import brotli_of

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
        super().__init__(*args, **kwargs)

    def send_head(self) -> BytesIO | BinaryIO | None:
        file = Path(super().translate_path(self.path))
        both = file.is_file() and brotli_of(file).is_file()
        self._brotli = both and "br" in self.headers.get("Accept-Encoding", "")
        return super().send_head()

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
