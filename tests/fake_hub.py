"""A local server that answers as the Hugging Face Hub does, or wrongly."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import huggingface_hub.constants
from huggingface_hub.utils.sha import git_hash

from twinvec.catalog.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

NAME = "owner/tiny"
REVISION = "c0ffee00" * 5
OTHER = "badc0de0" * 5
POLL_SECONDS = 0.01  # between two looks for a shutdown


CONFIGURATION = {
    "config.json": b'{"hidden_size": 4, "max_position_embeddings": 8}',
    "tokenizer.json": b'{"model": {}}',
    "tokenizer_config.json": b'{"model_max_length": 8}',
}
MODEL_FILES = {
    **CONFIGURATION,
    "onnx/model.onnx": b"weights",
    "onnx/model_fp16.onnx": b"other weights",
}
"""The smallest files of a model, in two dtypes."""


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: sha256(content).hexdigest() for path, content in files.items()}


PINNED = Pin(NAME, REVISION, "cls", 6, digests(MODEL_FILES), query_prompt="query: ")


@dataclass(frozen=True)
class Fault:
    """A wrong answer to requests."""

    where: str = ""
    """Pattern of the method and path of these requests."""
    status: int = 200
    body: bytes | None = None
    """Content instead of the file's, with all headers right for it."""
    sent: int | None = None
    """Position in the body at which the connection ends; negative from its end."""
    no_ranges: bool = False
    stall: bool = False
    commit: str = REVISION
    etag: str | None = None
    """ETag instead of the content's hash."""
    trickle_seconds: float = 0
    """Pause after each byte of the body."""
    endless: bool = False
    """Zeros follow the body, and no size is announced."""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1000


class Hub(ThreadingHTTPServer):
    """One repository of `files`; records its requests, and answers them with `fault`."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.requests: list[str] = []
        self.fault: Fault | None = None
        self.released = threading.Event()
        self.sent_bytes = 0
        """Bytes of endless bodies."""

    def fault_of(self, request: str) -> Fault:
        fault = self.fault
        if not (fault and fault.times and re.search(fault.where, request)):
            return Fault()
        self.fault = replace(fault, times=fault.times - 1)
        return fault

    def siblings(self) -> list[dict[str, Any]]:
        return [
            {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            | ({"lfs": lfs(content)} if path.startswith("onnx/") else {})
            for path, content in self.files.items()
        ]


def lfs(content: bytes) -> dict[str, Any]:
    return {"sha256": sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        fault = self.server.fault_of(f"{self.command} {self.path}")
        if fault.stall:
            self.server.released.wait(60)
        elif fault.status != 200:
            self._send(b"<html>", fault, error="EntryNotFound" if fault.status == 404 else "")
        elif not self.path.startswith((f"/{NAME}/", f"/api/models/{NAME}/")):
            self._send(b"", Fault(status=404), error="RepoNotFound")
        elif self.path.startswith("/api/"):
            self._send_info(fault)
        else:
            path = self.path.partition("/resolve/")[2].partition("/")[2]
            self._send(self.server.files[path], fault)

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def _send_info(self, fault: Fault) -> None:
        revision = self.path.partition("/revision/")[2].partition("?")[0]
        if revision not in (REVISION, "main"):
            self._send(b"", Fault(status=404), error="RevisionNotFound")
            return
        info = {"id": NAME, "sha": fault.commit, "siblings": self.server.siblings()}
        self._send(json.dumps(info).encode(), fault)

    def _send(self, content: bytes, fault: Fault, error: str = "") -> None:
        body = content if fault.body is None else fault.body
        start = 0
        if "Range" in self.headers and not fault.no_ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else fault.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if not fault.endless:
            self.send_header("Content-Length", str(len(body) - start))
        self.send_header("X-Repo-Commit", fault.commit)
        self.send_header("X-Error-Code", error)
        self.send_header("ETag", f'"{fault.etag or sha256(content).hexdigest()}"')
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send_body(body[start : fault.sent], fault)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        with suppress(OSError):  # the client may have gone
            if fault.trickle_seconds:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    if self.server.released.wait(fault.trickle_seconds):
                        return
            self.wfile.write(body)
            while fault.endless:
                self.server.sent_bytes += self.wfile.write(bytes(1 << 16))

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def running_hub(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve the files, and point `huggingface_hub` at this server."""
    with Hub(files) as server:
        point_hub_at(server.server_port, monkeypatch)
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def point_hub_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the constants that HF_ENDPOINT sets when huggingface_hub is imported."""
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
