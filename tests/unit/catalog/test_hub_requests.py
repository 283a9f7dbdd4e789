"""An answer of the Hub is limited in size and time, whatever the server does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_hub import MODEL_FILES, NAME, REVISION, Fault, Hub, running_hub
from twinvec.catalog.hub import from_hub
from twinvec.catalog.hub_requests import MAX_LISTING_BYTES, HubFile, list_files, save_file
from twinvec.download import MIN_BYTES_PER_SECOND
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.model.info import CONFIG_FILES

GRACE_SECONDS = 0.5
LISTING, FILE = "/api/", "/onnx/model.onnx$"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub(MODEL_FILES, monkeypatch) as server:
        yield server


def open_model(cache: Path) -> Path:
    return from_hub(
        NAME,
        "main",
        "fp32",
        CONFIG_FILES,
        local_files_only=False,
        cache=cache,
        grace_seconds=GRACE_SECONDS,
    )


ENDLESS = {
    "a listing": (Fault(LISTING, endless=True), MAX_LISTING_BYTES),
    "a file": (Fault(FILE, endless=True), len(MODEL_FILES["onnx/model.onnx"])),
    "a file, announced as larger": (
        Fault(FILE, body=bytes(1 << 25)),
        len(MODEL_FILES["onnx/model.onnx"]),
    ),
    "a redirect": (
        Fault(
            FILE,
            status=307,
            headers={"Location": f"/{NAME}/resolve/{REVISION}/onnx/model.onnx"},
            endless=True,
        ),
        0,
    ),
    "a refusal": (Fault(FILE, status=403, endless=True), 0),
    "a failure": (Fault(FILE, status=500, endless=True), 0),
}


@pytest.mark.parametrize(("fault", "limit"), ENDLESS.values(), ids=ENDLESS.keys())
def test_an_endless_answer(hub: Hub, tmp_path: Path, fault: Fault, limit: int) -> None:
    hub.fault = fault
    with pytest.raises(DownloadError):
        open_model(tmp_path)
    # The rest fills the buffers of the connection, which five attempts have.
    assert hub.sent_bytes < limit + 5 * (1 << 24)
    assert all(file.stat().st_size < 100 for file in tmp_path.rglob("*") if file.is_file())
    hub.fault = None
    open_model(tmp_path)


SLOW = {
    "a trickling listing": Fault(LISTING, trickle_seconds=0.05),
    "a trickling file": Fault(FILE, body=bytes(7), trickle_seconds=0.2),
    "a stalled listing": Fault(LISTING, stall=True),
    "a stalled file": Fault(FILE, stall=True),
}


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW.keys())
def test_a_slow_answer(hub: Hub, tmp_path: Path, fault: Fault) -> None:
    hub.fault = fault
    start = time.monotonic()
    with pytest.raises(DownloadError, match=f"{MIN_BYTES_PER_SECOND:,} bytes a second"):
        open_model(tmp_path)
    assert time.monotonic() - start < 10 * GRACE_SECONDS
    hub.fault = None
    open_model(tmp_path)


@pytest.mark.parametrize("where", [LISTING, FILE])
def test_the_time_to_wait_is_reported_and_not_waited(hub: Hub, tmp_path: Path, where: str) -> None:
    hub.fault = Fault(where, status=429, headers={"Retry-After": "100000"})
    start = time.monotonic()
    with pytest.raises(DownloadError, match="too many requests; try again in 100000 seconds"):
        open_model(tmp_path)
    assert time.monotonic() - start < 10 * GRACE_SECONDS
    assert sum(where[:4] in request for request in hub.requests) <= len(MODEL_FILES)


ANSWERS = [b"[]", b"7", b"{}", b'{"sha": []}', b'{"sha": "a", "siblings": 7}', b"[" * 200_000]
ANSWERS += [b'{"sha": "a", "siblings": [{"rfilename": []}]}', b'{"sha": "a", "siblings": [{}]}']


@pytest.mark.parametrize("body", ANSWERS)
def test_an_answer_that_is_no_listing(hub: Hub, body: bytes) -> None:
    hub.fault = Fault(LISTING, body=body)
    with pytest.raises(DownloadError, match="is not a list of its files"):
        list_files(NAME, "main", grace_seconds=5)


def test_a_gated_model_names_the_way_out(hub: Hub, tmp_path: Path) -> None:
    hub.fault = Fault(FILE, status=403)
    with pytest.raises(DownloadError, match=r"answered 403 .*hf auth login"):
        open_model(tmp_path)


def test_a_private_model_is_as_absent_as_any_other(hub: Hub) -> None:
    hub.fault = Fault(LISTING, status=401)
    with pytest.raises(ModelNotFoundError, match=f"{NAME} at main: the server answered 401"):
        list_files(NAME, "main", grace_seconds=5)


def test_redirects_are_followed(hub: Hub, tmp_path: Path) -> None:
    """As to the content of large files; a loop ends."""
    path = f"/{NAME}/resolve/{REVISION}/onnx/model_fp16.onnx"
    hub.fault = Fault(FILE, status=302, headers={"Location": path})
    content = MODEL_FILES["onnx/model_fp16.onnx"]
    file = HubFile("onnx/model.onnx", len(content), "0" * 64)
    save_file(NAME, REVISION, file, tmp_path / "part", grace_seconds=5)
    assert (tmp_path / "part").read_bytes() == content

    hub.fault = Fault("/resolve/", status=302, headers={"Location": path})
    with pytest.raises(DownloadError, match="answered 302"):
        save_file(NAME, REVISION, file, tmp_path / "part", grace_seconds=5)


def test_an_interrupted_answer_is_continued(hub: Hub, tmp_path: Path) -> None:
    hub.fault = Fault(FILE, sent=3, times=1)
    content = MODEL_FILES["onnx/model.onnx"]
    file = HubFile("onnx/model.onnx", len(content), "0" * 64)
    save_file(NAME, REVISION, file, tmp_path / "part", grace_seconds=5)
    assert (tmp_path / "part").read_bytes() == content
    assert len(hub.requests) == 2


def test_more_bytes_than_announced(hub: Hub, tmp_path: Path) -> None:
    file = HubFile("onnx/model.onnx", 3, "0" * 64)
    with pytest.raises(IntegrityError, match="found more than the announced 3 bytes"):
        save_file(NAME, REVISION, file, tmp_path / "part", grace_seconds=5)
    assert hub.requests != []
