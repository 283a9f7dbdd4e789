"""A failure of the Hub names the file, leaves nothing behind, and passes with the next attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.file_download
import numpy as np
import onnx
import pytest

from fake_hub import NAME, OTHER, REVISION, Fault, Hub, lfs, running_hub
from synthetic import TINY, tiny_bert
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import PINS, Pin
from twinvec.convert.bert import bert_graph
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError
from twinvec.runtime.native import NativeSession

CONFIG = b'{"hidden_size": 4, "max_position_embeddings": 8}'
WEIGHTS = bytes(range(256)) * 8
FILES = {
    "config.json": CONFIG,
    "tokenizer.json": b'{"model": {}}',
    "tokenizer_config.json": b'{"model_max_length": 8}',
    "special_tokens_map.json": b"{}",
    "onnx/model.onnx": WEIGHTS,
    "onnx/model.onnx_data": WEIGHTS[::-1],
    "onnx/model.onnx_data_1": WEIGHTS[1:],
    "onnx/model_fp16.onnx": b"fp16",
    "onnx/model_fp16.onnx_data": b"fp16 data",
}
TAKEN = {path: content for path, content in FILES.items() if "fp16" not in path}
PIN = Pin(NAME, REVISION, "cls", 6, {path: lfs(FILES[path])["sha256"] for path in TAKEN})
PAGE = b"<!doctype html><title>Sign in to this network</title>"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # The library's own retries, without the waiting between them.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with running_hub(FILES, monkeypatch) as server:
        yield server


@pytest.fixture(params=["pinned", "unpinned"])
def revision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A revision of a model that is pinned, or is not."""
    if request.param == "pinned":
        monkeypatch.setitem(PINS, NAME, PIN)
        return REVISION
    return "main"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the constants of HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, and a fixed limit."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.1)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    monkeypatch.setattr(huggingface_hub.file_download, "_ETAG_RETRY_TIMEOUT", 0.1)
    # So that a small file comes in parts, each of which resets the library's count of retries.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 16)


def open_model(cache: Path, revision: str, *, local_files_only: bool = False) -> Path:
    folder, info = find_model(
        NAME,
        dtype="fp32",
        revision=revision,
        local_files_only=local_files_only,
        cache_dir=cache,
    )
    assert {path: (folder / path).read_bytes() for path in info.files} == TAKEN
    return folder


def check_recovery(hub: Hub, cache: Path, revision: str, bad: bytes) -> None:
    """The failure left nothing in use, and a server that works again is all that is needed."""
    hub.fault = None
    contents = [file.read_bytes() for file in cache.rglob("*") if file.is_file()]
    assert bad not in contents
    with pytest.raises(DownloadError, match="not in the cache"):
        open_model(cache, revision, local_files_only=True)
    folder = open_model(cache, revision)
    hub.requests.clear()
    assert open_model(cache, revision) == folder
    assert open_model(cache, revision, local_files_only=True) == folder
    assert hub.requests == [], "verified files are not requested again"


BAD_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped byte": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "truncated, of consistent length": lambda content: content[:-1],
    "a page instead": lambda _: PAGE,
}


@pytest.mark.parametrize("path", TAKEN)
@pytest.mark.parametrize("damage", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_wrong_bytes(
    hub: Hub, tmp_path: Path, revision: str, path: str, damage: Callable[[bytes], bytes]
) -> None:
    bad = damage(FILES[path])
    hub.fault = Fault(f"/{path}$", body=bad)
    with pytest.raises(IntegrityError) as caught:
        open_model(tmp_path, revision)
    assert caught.value.file == path
    assert path in str(caught.value)
    check_recovery(hub, tmp_path, revision, bad)


FAILURES = {
    "404": Fault(status=404),
    "500": Fault(status=500),
    "500 for the content": Fault("GET", status=500),
    "cut off": Fault(sent=-8),
    "cut off, and always started over": Fault(sent=-8, no_ranges=True),
    "stalled": Fault(stall=True),
    "stalled content": Fault("GET", stall=True),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["config.json", "onnx/model.onnx_data"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_failures(hub: Hub, tmp_path: Path, revision: str, path: str, failure: Fault) -> None:
    hub.fault = replace(failure, where=f"{failure.where}.*/{path}$")
    with pytest.raises(DownloadError, match=f"{path} of {NAME} cannot be downloaded") as caught:
        open_model(tmp_path, revision)
    assert type(caught.value) is DownloadError
    assert len(hub.requests) < 20
    check_recovery(hub, tmp_path, revision, FILES[path][: failure.sent])


NO_ANSWERS = {
    "500": Fault(status=500),
    "a page": Fault(body=PAGE),
    "cut off": Fault(sent=32),
    "stalled": Fault(stall=True),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_a_hub_that_does_not_answer(
    hub: Hub, tmp_path: Path, revision: str, failure: Fault
) -> None:
    hub.fault = replace(failure, where="/api/")
    with pytest.raises(DownloadError, match="the Hugging Face Hub cannot be reached"):
        open_model(tmp_path, revision)
    check_recovery(hub, tmp_path, revision, PAGE)


@pytest.mark.parametrize("where", ["/api/", "HEAD .*/config.json", "GET .*/config.json"])
def test_one_503(hub: Hub, tmp_path: Path, revision: str, where: str) -> None:
    """It passes unseen where the library tries again, and with the user's next attempt at last."""
    hub.fault = Fault(where, status=503, times=1)
    try:
        open_model(tmp_path, revision)
    except DownloadError:
        open_model(tmp_path, revision)
    assert hub.fault.times == 0


@pytest.mark.parametrize("revision", [REVISION, "main"])
@pytest.mark.parametrize("path", ["config.json", "onnx/model.onnx"])
def test_files_of_another_revision(hub: Hub, tmp_path: Path, revision: str, path: str) -> None:
    hub.fault = Fault(f"/{path}$", commit=OTHER)
    with pytest.raises(IntegrityError, match=f"the revision of {path}.*{REVISION}.*{OTHER}"):
        open_model(tmp_path, revision)
    check_recovery(hub, tmp_path, revision, FILES[path])


def test_another_revision_than_the_one_asked_for(hub: Hub, tmp_path: Path) -> None:
    hub.fault = Fault("/api/", commit=OTHER)
    with pytest.raises(IntegrityError, match=f"the revision of {NAME}.*{REVISION}.*{OTHER}"):
        open_model(tmp_path, REVISION)
    check_recovery(hub, tmp_path, REVISION, PAGE)


@pytest.mark.parametrize("revision", [OTHER, "absent"])
@pytest.mark.usefixtures("hub")
def test_a_revision_that_is_not_there(tmp_path: Path, revision: str) -> None:
    with pytest.raises(ModelNotFoundError, match=f"{NAME} at {revision}"):
        open_model(tmp_path, revision)


@pytest.mark.parametrize("path", ["tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data"])
def test_a_file_that_is_not_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """External data belong to a model only where the pin says so."""
    monkeypatch.setitem(PINS, NAME, PIN)
    del hub.files[path]
    with pytest.raises(ModelNotFoundError, match=f"{NAME} has no {path} on the Hub at {REVISION}"):
        open_model(tmp_path, REVISION)


def test_a_hub_that_announces_no_hashes(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "siblings", lambda: [{"rfilename": path} for path in FILES])
    with pytest.raises(IntegrityError, match=r"config\.json.*none announced"):
        open_model(tmp_path, "main")


def test_an_interrupted_download_is_verified_again(hub: Hub, tmp_path: Path) -> None:
    hub.fault = Fault("GET .*/onnx/model.onnx$", status=500)
    with pytest.raises(DownloadError):
        open_model(tmp_path, "main")
    (config,) = tmp_path.rglob("config.json")
    config.write_bytes(PAGE)
    hub.fault = None
    with pytest.raises(IntegrityError, match=r"config\.json"):
        open_model(tmp_path, "main")
    check_recovery(hub, tmp_path, "main", PAGE)


def test_each_dtype_is_complete_by_itself(hub: Hub, tmp_path: Path) -> None:
    open_model(tmp_path, "main")
    hub.fault = Fault("/onnx/model_fp16.onnx_data$", body=PAGE)
    with pytest.raises(IntegrityError, match=r"onnx/model_fp16\.onnx_data"):
        find_model(NAME, dtype="fp16", revision="main", cache_dir=tmp_path)
    with pytest.raises(DownloadError, match="not in the cache"):
        find_model(NAME, dtype="fp16", revision="main", local_files_only=True, cache_dir=tmp_path)
    hub.fault = None
    _, info = find_model(NAME, dtype="fp16", revision="main", cache_dir=tmp_path)
    assert [path for path in info.files if path.startswith("onnx/")] == [
        "onnx/model_fp16.onnx",
        "onnx/model_fp16.onnx_data",
    ]


def test_external_data_open_from_the_hubs_cache(hub: Hub, tmp_path: Path) -> None:
    """All files in it are links into another folder, under other names."""
    location = "model.onnx_data"
    graph = bert_graph(TINY, tiny_bert())
    onnx.save(graph, tmp_path / "model.onnx", save_as_external_data=True, location=location)
    hub.files["onnx/model.onnx"] = (tmp_path / "model.onnx").read_bytes()
    hub.files["onnx/model.onnx_data"] = (tmp_path / location).read_bytes()
    folder, info = find_model(NAME, dtype="fp32", cache_dir=tmp_path)
    assert all((folder / path).is_symlink() for path in info.files)
    session = NativeSession(folder / info.weights["fp32"])
    ids = np.ones((1, 3), np.int64)
    (states,) = session.run([dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), ids)])
    session.close()
    assert states.shape == (1, 3, TINY["hidden_size"])
