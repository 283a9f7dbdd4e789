"""An index on a web server, with range requests and without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import serving
from indexes import DAMAGE, KINDS, results, shard_of, small_index, use_all, write_small_shards
from twinvec import DownloadError, Index


class WholeFiles(SimpleHTTPRequestHandler):
    """A server that ignores `Range`, as Python's own does."""

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def serving_whole_files(folder: Path) -> Iterator[str]:
    handler = partial(WholeFiles, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


SERVERS = {"ranges": serving, "whole files": serving_whole_files}


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
