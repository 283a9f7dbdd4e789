"""A failure of the Hub names the file, leaves nothing behind, and passes with the next attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
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
    # Without the pauses between attempts.
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
    """Set the constants of HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)


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
    "cut off": Fault(sent=-8),
    "cut off, and always started over": Fault(sent=-8, no_ranges=True),
    "stalled": Fault(stall=True),
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


@pytest.mark.parametrize("where", ["/api/", "/config.json"])
def test_one_503(hub: Hub, tmp_path: Path, revision: str, where: str) -> None:
    """It passes unseen for a file, and with the user's next attempt for the list of files."""
    hub.fault = Fault(where, status=503, times=1)
    try:
        open_model(tmp_path, revision)
    except DownloadError:
        open_model(tmp_path, revision)
    assert hub.fault.times == 0


def test_files_are_requested_by_their_commit(hub: Hub, tmp_path: Path) -> None:
    """So `main` cannot change between two of them; the headers of answers are not used."""
    hub.fault = Fault("/resolve/", commit=OTHER)
    open_model(tmp_path, "main")
    files = [path for path in hub.requests if "/resolve/" in path]
    assert len(files) == len(TAKEN)
    assert all(f"/resolve/{REVISION}/" in path for path in files)


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


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("path", ["config.json", "onnx/model.onnx"])
def test_a_file_of_the_user_whose_path_is_the_etag(
    hub: Hub, tmp_path: Path, revision: str, path: str, *, exists: bool
) -> None:
    own = tmp_path / "own" / "notes.txt"
    if exists:
        own.parent.mkdir()
        own.write_text("precious", encoding="utf-8")
    for etag in (str(own), f"../../../../../own/{own.name}"):
        hub.fault = Fault(f"/{path}$", etag=etag)
        with suppress(DownloadError):
            open_model(tmp_path / "cache", revision)
    assert own.exists() == exists
    assert not exists or own.read_text(encoding="utf-8") == "precious"
    assert {file.name for file in tmp_path.iterdir()} <= {"own", "cache"}
    check_links(tmp_path / "cache")


def check_links(cache: Path) -> None:
    """Every link in the cache leads to a file in it."""
    for file in cache.rglob("*"):
        assert file.resolve(strict=True).is_relative_to(cache)


WRONG_FACTS: dict[str, dict[str, Any]] = {
    "blobId": {"blobId": "../../../../own/notes.txt"},
    "sha256": {"lfs": {"sha256": "/own/notes.txt", "size": 6, "pointerSize": 1}},
    "upper case": {"blobId": "A" * 40},
    "a number": {"blobId": 7},
    "lfs": {"lfs": 7},
    "size": {"size": -1},
    "no size": {"size": None},
    "a size of the wrong type": {"size": "6"},
}


@pytest.mark.parametrize("wrong", WRONG_FACTS.values(), ids=WRONG_FACTS.keys())
def test_wrong_facts_of_a_file(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    siblings = [{**sibling, **wrong} for sibling in hub.siblings() if "lfs" not in sibling]
    siblings += [sibling for sibling in hub.siblings() if "lfs" in sibling]
    monkeypatch.setattr(hub, "siblings", lambda: siblings)
    with pytest.raises(IntegrityError, match="does not announce the size and hash"):
        open_model(tmp_path / "cache", "main")
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("path", ["../../mine.json", "/mine.json", "onnx/model.onnx_data_../mine"])
def test_paths_that_lead_elsewhere_are_not_downloaded(hub: Hub, tmp_path: Path, path: str) -> None:
    hub.files[path] = b"{}"
    open_model(tmp_path / "cache", "main")
    assert not any("mine" in request for request in hub.requests)
    check_links(tmp_path / "cache")


@pytest.mark.parametrize("commit", ["../../../own", "/own", "", "C0FFEE00" * 5, None, 7])
def test_a_commit_that_is_none(hub: Hub, tmp_path: Path, commit: Any) -> None:
    hub.fault = Fault("/api/", commit=commit)
    with pytest.raises(DownloadError, match=f"names {commit!r} as the commit"):
        open_model(tmp_path, "main")
    check_recovery(hub, tmp_path, "main", PAGE)


@pytest.mark.parametrize("revision", ["../../refs/main", "/main", "a//b", "a/../b", ".hidden", ""])
@pytest.mark.usefixtures("hub")
def test_a_revision_that_is_no_name(tmp_path: Path, revision: str) -> None:
    with pytest.raises(ModelNotFoundError, match="commit, branch or tag"):
        find_model(NAME, dtype="fp32", revision=revision or " ", cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_link_that_leads_out_of_the_cache_is_replaced(hub: Hub, tmp_path: Path) -> None:
    """As a Hub could make it when ETags were used as names."""
    own = tmp_path / "own.json"
    own.write_bytes(CONFIG)
    folder = open_model(tmp_path / "cache", "main")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(own)
    hub.requests.clear()
    open_model(tmp_path / "cache", "main")
    assert hub.requests != []
    assert own.read_bytes() == CONFIG
    check_links(tmp_path / "cache")


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
    open_model(tmp_path, "main")


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
