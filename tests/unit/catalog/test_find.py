"""A model is found, brought here and verified, or refused with a reason; never half kept."""

from __future__ import annotations

import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_hub import REVISION, Hub, point_hub_at, running_hub
from synthetic import write_tiny
from twinvec.catalog import find as models
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS, Pin, PinnedWheel
from twinvec.errors import DownloadError, IntegrityError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_FILES = {
    "config.json": b'{"hidden_size": 4, "max_position_embeddings": 8}',
    "tokenizer.json": b'{"model": {}}',
    "tokenizer_config.json": b'{"model_max_length": 8}',
}
FILES = {**JSON_FILES, "onnx/model.onnx": b"weights", "onnx/model_fp16.onnx": b"not asked for"}
PAGE = b"<html>"


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: sha256(content).hexdigest() for path, content in files.items()}


PINNED = Pin("owner/tiny", REVISION, "cls", 6, digests(FILES), query_prompt="query: ")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setitem(PINS, PINNED.name, PINNED)
    with running_hub(FILES, monkeypatch) as server:
        yield server


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the Hub's address to a port where nothing listens any more."""
    with Hub({}) as closed:
        port = closed.server_port
    point_hub_at(port, monkeypatch)


def test_a_pinned_model_comes_from_the_hub_once(hub: Hub, tmp_path: Path) -> None:
    folder, info = find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert (info.name, info.revision) == ("owner/tiny", REVISION)
    assert (info.pooling, info.max_length, info.query_prompt) == ("cls", 6, "query: ")
    assert {path: (folder / path).read_bytes() for path in info.files} == {
        path: content for path, content in FILES.items() if "fp16" not in path
    }
    assert not any("fp16" in request for request in hub.requests)

    hub.requests.clear()
    assert find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path) == (folder, info)
    offline = find_model("owner/tiny", dtype="fp32", local_files_only=True, cache_dir=tmp_path)
    assert offline == (folder, info)
    assert hub.requests == []


@pytest.mark.parametrize("path", [path for path in FILES if "fp16" not in path])
def test_a_file_that_was_replaced_on_the_hub_is_refused_and_not_kept(
    hub: Hub, tmp_path: Path, path: str
) -> None:
    hub.files[path] = PAGE
    with pytest.raises(IntegrityError, match=path) as caught:
        find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert caught.value.expected == digests(FILES)[path]
    assert caught.value.found == sha256(PAGE).hexdigest()
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert PAGE not in kept

    hub.files = dict(FILES)
    folder, _ = find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert (folder / path).read_bytes() == FILES[path]


def test_a_branch_is_followed_to_its_commit(hub: Hub, tmp_path: Path) -> None:
    _, info = find_model("owner/tiny", dtype="fp16", revision="main", cache_dir=tmp_path)
    assert info.revision == REVISION
    assert (info.pooling, info.max_length, info.query_prompt) == ("mean", 8, "")
    assert info.weights == {"fp16": "onnx/model_fp16.onnx"}
    hub.requests.clear()
    find_model("owner/tiny", dtype="fp16", revision="main", cache_dir=tmp_path)
    assert hub.requests == []


def test_an_unknown_model_is_not_found(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="owner/absent at main"):
        find_model("owner/absent", dtype="fp32", cache_dir=tmp_path)
    assert len(hub.requests) == 1


@pytest.mark.parametrize("name", ["owner/tiny", "owner/unpinned", EMBEDDED.name])
def test_local_files_only_asks_nobody(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("pip was started"))
    with pytest.raises(DownloadError, match=f"{name} is not in the cache"):
        find_model(name, dtype="fp32", local_files_only=True, cache_dir=tmp_path)
    assert hub.requests == []


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("name", [DEFAULT.name, "owner/unpinned"])
def test_a_hub_out_of_reach_is_a_download_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError, match="cannot be reached") as caught:
        find_model(name, dtype="fp32", cache_dir=tmp_path)
    assert not isinstance(caught.value, IntegrityError)


@pytest.mark.usefixtures("no_hub")
def test_the_embedded_model_stands_in_with_one_warning(tmp_path: Path) -> None:
    real, _ = find_model(EMBEDDED.name, dtype="fp32")
    stand_in = tmp_path / "models" / EMBEDDED.name / real.name
    stand_in.parent.mkdir(parents=True)
    stand_in.symlink_to(real, target_is_directory=True)
    with pytest.warns(UserWarning, match="instead of") as caught:
        folder, info = find_model(None, dtype="fp32", cache_dir=tmp_path)
    assert len(caught) == 1
    assert all(name in str(caught[0].message) for name in (DEFAULT.name, EMBEDDED.name))
    assert folder == stand_in
    assert (info.name, info.dim, info.max_length) == (EMBEDDED.name, 384, 256)


def test_altered_bytes_never_lead_to_the_stand_in(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "DEFAULT", PINNED)
    hub.files["onnx/model.onnx"] = PAGE
    with pytest.raises(IntegrityError, match=r"onnx/model\.onnx"):
        find_model(None, dtype="fp32", cache_dir=tmp_path)


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for given in (tmp_path, str(tmp_path)):
        folder, info = find_model(given, dtype="fp32")
        assert (folder, info.name, info.revision) == (tmp_path, tmp_path.name, None)


def make_own_folder(source: Path) -> tuple[Path, dict[str, str]]:
    """Write a model with external data, and beside it what `sha256sum` prints of it."""
    files = {**FILES, "onnx/model.onnx_data": b"more weights"}
    for path, content in files.items():
        (source / path).parent.mkdir(exist_ok=True, parents=True)
        (source / path).write_bytes(content)
    recorded = digests(files)
    lines = (f"{digest}  {path}\n" for path, digest in recorded.items())
    (source / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return source, recorded


@pytest.mark.parametrize("path", [*JSON_FILES, "onnx/model.onnx", "onnx/model.onnx_data"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "a page"])
def test_a_local_folder_is_checked_and_never_changed(
    tmp_path: Path, path: str, damage: str
) -> None:
    folder, recorded = make_own_folder(tmp_path / "mine")
    good = (folder / path).read_bytes()
    assert find_model(folder, dtype="fp32")[1].files[path]["sha256"] == recorded[path]

    bad = {"flipped": bytes([good[0] ^ 1]) + good[1:], "truncated": good[:-1], "a page": PAGE}
    (folder / path).write_bytes(bad[damage])
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(IntegrityError, match="delete SHA256SUMS") as caught:
        find_model(folder, dtype="fp32")
    assert caught.value.file == str(folder / path)
    assert caught.value.expected == recorded[path]
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before

    (folder / path).write_bytes(good)
    find_model(folder, dtype="fp32")


@pytest.mark.parametrize("path", ["1_Pooling/config.json", "probes.json"])
def test_a_recorded_file_that_is_gone_is_told(tmp_path: Path, path: str) -> None:
    """A default would take its place: another pooling, or no check of the vectors."""
    folder, _ = make_own_folder(tmp_path)
    with (folder / "SHA256SUMS").open("a", encoding="utf-8") as record:
        record.write(f"{'0' * 64}  {path}\n")
    with pytest.raises(IntegrityError, match="found no such file"):
        find_model(folder, dtype="fp32")


def test_a_local_folder_changed_on_purpose_is_opened_without_its_record(tmp_path: Path) -> None:
    folder, _ = make_own_folder(tmp_path)
    (folder / "onnx" / "model.onnx").write_bytes(b"other weights")
    (folder / "onnx" / "model_fp16.onnx").write_bytes(b"not in use")
    (folder / "SHA256SUMS").unlink()
    _, info = find_model(folder, dtype="fp32")
    assert info.files["onnx/model.onnx"]["sha256"] == sha256(b"other weights").hexdigest()


def test_a_file_that_a_record_does_not_name_is_taken_as_it_is(tmp_path: Path) -> None:
    folder, _ = make_own_folder(tmp_path)
    (folder / "special_tokens_map.json").write_text("{}", encoding="utf-8")
    (folder / "onnx" / "model_fp16.onnx").write_bytes(b"not in use")
    _, info = find_model(folder, dtype="fp32")
    assert "special_tokens_map.json" in info.files


BAD_NAMES = ["bge-small", "a/b/c", "./a", "../a", "/a", "~/a", "a/", "a b/c", "a/b--c", Path("a/b")]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_bad_name_is_refused_without_a_request(
    hub: Hub, tmp_path: Path, name: str | Path
) -> None:
    with pytest.raises(ModelNotFoundError, match=str(name)):
        find_model(name, dtype="fp32", cache_dir=tmp_path)
    assert hub.requests == []


def test_a_dtype_is_refused_without_a_request(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown dtype 'fp8'"):
        find_model("owner/tiny", dtype="fp8", cache_dir=tmp_path)
    with pytest.raises(ModelNotFoundError, match="has dtype fp32, fp16, q8, w8, w16, w8a8, not q4"):
        find_model("owner/tiny", dtype="q4", cache_dir=tmp_path)
    with pytest.raises(ModelNotFoundError, match="has dtype fp32, q8, w8, w16, w8a8, not q4"):
        find_model(EMBEDDED.name, dtype="q4", cache_dir=tmp_path)
    assert hub.requests == []


@pytest.fixture
def wheel_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Pin a tiny BERT, in a wheel in the only place where pip then looks."""
    source = write_tiny(tmp_path / "source")
    files = {
        file.relative_to(source).as_posix(): file.read_bytes()
        for file in source.rglob("*")
        if file.is_file()
    }
    wheel = tmp_path / "index" / "carrier-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(f"carrier/{path}", content)
        metadata = "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
        archive.writestr("carrier-1.0.dist-info/METADATA", metadata)
        archive.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    digest = sha256(wheel.read_bytes()).hexdigest()
    carrier = PinnedWheel("carrier==1.0", wheel.name, digest, "carrier")
    pin = Pin("owner/converted", REVISION, "mean", 6, digests(files), wheel=carrier)
    monkeypatch.setitem(PINS, pin.name, pin)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return pin


@pytest.mark.parametrize("path", [*JSON_FILES, "onnx/model.onnx"])
def test_a_flipped_byte_in_a_converted_model_is_refused_and_healed(
    wheel_pin: Pin, tmp_path: Path, path: str
) -> None:
    folder, info = find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache")
    good = (folder / path).read_bytes()
    (folder / path).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=path):
        find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache")
    assert find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache") == (folder, info)
    assert (folder / path).read_bytes() == good


def test_a_converted_model_needs_no_wheel_any_more(wheel_pin: Pin, tmp_path: Path) -> None:
    made = find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache")
    shutil.rmtree(tmp_path / "index")
    shutil.rmtree(tmp_path / "cache" / "downloads")
    assert find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache") == made
