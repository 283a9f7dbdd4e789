"""A model folder is made as a whole, reproducibly, or not at all."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from synthetic import TINY, bert_weights, tiny_bert, write_tiny
from twinvec.convert.bert import bert_graph
from twinvec.convert.folder import convert_folder, reason_against_w8a8
from twinvec.download import sha256_of
from twinvec.errors import ModelError, UnsupportedModelError
from twinvec.model.dtypes import makeable_dtypes, onnx_path
from twinvec.model.info import CONFIG_FILES, REFERENCE_FILE, ModelInfo, recorded_hashes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "source")


def test_the_same_weights_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    first, second = (convert_folder(source, tmp_path / name) for name in ("first", "second"))
    written = sorted(path.relative_to(first) for path in first.rglob("*"))
    assert written == sorted(path.relative_to(second) for path in second.rglob("*"))
    for path in written:
        if (first / path).is_file():
            assert (first / path).read_bytes() == (second / path).read_bytes(), path


def test_a_converted_folder_is_a_model(source: Path, tmp_path: Path) -> None:
    info = ModelInfo.from_folder(convert_folder(source, tmp_path / "deep" / "made"), "fp32")
    assert (info.dim, info.max_length, info.pooling) == (TINY["hidden_size"], 64, "cls")
    folder = tmp_path / "deep" / "made"
    recorded = recorded_hashes(folder)
    read = {path: facts["sha256"] for path, facts in info.files.items()}
    assert recorded == read | {REFERENCE_FILE: sha256_of(folder / REFERENCE_FILE)}


def test_a_failure_leaves_nothing(source: Path, tmp_path: Path) -> None:
    weights = (source / "model.safetensors").read_bytes()
    (source / "model.safetensors").write_bytes(weights[:-4])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        convert_folder(source, tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_only_an_empty_folder_is_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    convert_folder(source, tmp_path / "empty")
    (tmp_path / "file").touch()
    for target in ("empty", "file"):
        with pytest.raises(ModelError, match=f"{target} exists and is not an empty folder"):
            convert_folder(source, tmp_path / target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "source"]


@pytest.mark.parametrize("linked", [False, True], ids=["files", "links, as in the Hub's cache"])
@pytest.mark.parametrize("location", ["model.onnx_data", "model.onnx.data"])
def test_external_data_are_read_and_written_into_one_file(
    source: Path, tmp_path: Path, location: str, *, linked: bool
) -> None:
    external = tmp_path / "external"
    for file in CONFIG_FILES:
        (external / file).parent.mkdir(exist_ok=True)
        (external / file).write_bytes((source / file).read_bytes())
    stored = (tmp_path / "blobs" if linked else external) / "onnx"
    stored.mkdir(parents=True)
    graph = bert_graph(TINY, tiny_bert())
    saved = copy.deepcopy(graph)  # saving takes the data out
    onnx.save(saved, stored / "model.onnx", save_as_external_data=True, location=location)
    if linked:
        (external / "onnx").mkdir()
        for part in stored.iterdir():
            (external / "onnx" / part.name).symlink_to(part)

    converted = convert_folder(external, tmp_path / "made", ["fp32", "w8"])
    whole = onnx.load(converted / "onnx" / "model.onnx", load_external_data=False)
    for left, right in zip(whole.graph.initializer, graph.graph.initializer, strict=True):
        assert left.name == right.name
        assert np.array_equal(numpy_helper.to_array(left), numpy_helper.to_array(right))
    assert sorted(file.name for file in (converted / "onnx").iterdir()) == [
        "model.onnx",
        "model_w8.onnx",
    ]


def test_missing_external_data_are_an_error_that_names_the_file(
    source: Path, tmp_path: Path
) -> None:
    (source / "onnx").mkdir()
    file = source / "onnx" / "model.onnx"
    graph = bert_graph(TINY, tiny_bert())
    onnx.save(graph, file, save_as_external_data=True, location="model.onnx_data")
    (source / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(ModelError, match=r"onnx/model\.onnx cannot be read"):
        convert_folder(source, tmp_path / "made")


def test_every_dtype_that_can_be_made_is_made_with_its_references(
    source: Path, tmp_path: Path
) -> None:
    converted = convert_folder(source, tmp_path / "made", makeable_dtypes())
    files = {file.name for file in (converted / "onnx").iterdir()}
    assert files == {Path(onnx_path(dtype)).name for dtype in makeable_dtypes()}
    references = json.loads((converted / REFERENCE_FILE).read_text(encoding="utf-8"))
    assert list(references) == makeable_dtypes()
    assert reason_against_w8a8(converted) == ""


def test_a_model_that_w8a8_cannot_hold_has_a_reason(source: Path, tmp_path: Path) -> None:
    config = {**TINY, "max_position_embeddings": 1025}
    (source / "onnx").mkdir()
    onnx.save(bert_graph(config, bert_weights(config, 0.3)), source / "onnx" / "model.onnx")
    assert "1025 positions" in reason_against_w8a8(source)
    with pytest.raises(UnsupportedModelError, match="1025 positions"):
        convert_folder(source, tmp_path / "made", ["fp32", "w8a8"])
    assert not (tmp_path / "made").exists()
