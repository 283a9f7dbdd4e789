"""Weights that do not fit their configuration, or compute no numbers, give no vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from conftest import finish
from fake_page import JsModel, fake_page
from synthetic import TINY, write_tiny
from twinvec import Embedder, InferenceError, ModelError
from twinvec.convert.folder import convert_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model without recorded hashes and reference vectors, as on the Hub."""
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "tiny")
    (folder / "SHA256SUMS").unlink()
    (folder / "probes.json").unlink()
    return folder


def spoil(file: Path, value: float) -> None:
    """Set one weight of the last layer."""
    model = onnx.load(file)
    tensor = next(t for t in model.graph.initializer if t.name.endswith("1.output.dense.weight"))
    array = numpy_helper.to_array(tensor).copy()
    array.flat[0] = value
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, file)


def widen(file: Path) -> None:
    """Leave the length of the vectors open, as some exporters do."""
    model = onnx.load(file)
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_param = "hidden"
    onnx.save(model, file)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_vector_has_nan(folder: Path, value: float) -> None:
    spoil(folder / "onnx" / "model.onnx", value)
    embedder = Embedder.from_pretrained(folder)
    with pytest.raises(InferenceError, match=r"texts\[0\]: tiny computed a vector with NaN"):
        embedder.encode(["word1"])
    with pytest.raises(InferenceError, match=r"texts\[0\]: tiny"):
        finish(embedder.aencode_tokens(["word1"]))


def test_no_vector_has_nan_in_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(folder / "onnx" / "model.onnx", np.nan)
    with fake_page(monkeypatch, JsModel(folder)):
        embedder = Embedder.from_pretrained()
        with pytest.raises(InferenceError, match=r"texts\[0\]: tiny"):
            finish(embedder.aencode(["word1"]))


def test_nothing_is_converted_from_weights_with_nan(folder: Path, tmp_path: Path) -> None:
    spoil(folder / "onnx" / "model.onnx", np.nan)
    with pytest.raises(InferenceError, match=r"texts\[0\]: made computed a vector with NaN"):
        convert_folder(folder, tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("damage", [lambda _: None, widen], ids=["fixed", "open"])
@pytest.mark.parametrize("size", [16, 33, 64])
def test_a_hidden_size_that_does_not_fit_the_graph(
    folder: Path, size: int, damage: Callable[[Path], None]
) -> None:
    """A smaller one would cut the vectors."""
    damage(folder / "onnx" / "model.onnx")
    (folder / "config.json").write_text(json.dumps({**TINY, "hidden_size": size}), encoding="utf-8")
    with pytest.raises(
        ModelError, match=f"tiny gives .*32.* hidden_size in its config.json is {size}"
    ):
        Embedder.from_pretrained(folder).encode(["word1"])
