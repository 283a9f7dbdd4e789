"""A model without a pin is taken at the commit of its branch, as the Hub has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_hub import MODEL_FILES, NAME, REVISION, Hub, running_hub
from synthetic import write_tiny
from twinvec.catalog.find import find_model
from twinvec.convert.folder import convert_folder
from twinvec.errors import IntegrityError, ModelNotFoundError
from twinvec.model.dtypes import onnx_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub(MODEL_FILES, monkeypatch) as server:
        yield server


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


@pytest.mark.parametrize("dtype", ["w8", "q8"])
def test_a_dtype_that_the_hub_lacks_is_made_of_fp32(hub: Hub, tmp_path: Path, dtype: str) -> None:
    converted = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made")
    files = [file for file in converted.rglob("*") if file.is_file()]
    hub.files = {file.relative_to(converted).as_posix(): file.read_bytes() for file in files}
    cache = tmp_path / "cache"
    folder, info = find_model(NAME, dtype=dtype, cache_dir=cache)
    assert (info.name, info.revision) == (NAME, REVISION)
    assert (folder / info.weights[dtype]).is_file()
    hub.requests.clear()
    assert find_model(NAME, dtype=dtype, cache_dir=cache) == (folder, info)
    assert hub.requests == []  # nor is it made again
    weights = folder / info.weights[dtype]
    weights.write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match=weights.name):
        find_model(NAME, dtype=dtype, cache_dir=cache)
    assert find_model(NAME, dtype=dtype, cache_dir=cache) == (folder, info)  # made again
    other = tmp_path / "other"
    hub.files[onnx_path(dtype)] = b"of the model's owner"
    taken, info = find_model(NAME, dtype=dtype, cache_dir=other)
    assert (taken / info.weights[dtype]).read_bytes() == b"of the model's owner"
