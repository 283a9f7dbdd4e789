"""The table of dtypes answers for all: an unknown name raises everywhere, and lists the known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from synthetic import TINY, tiny_bert, write_tiny
from twinvec import Embedder
from twinvec.catalog.find import find_model
from twinvec.catalog.hub import from_hub
from twinvec.cli import main
from twinvec.convert.bert import bert_graph
from twinvec.convert.folder import convert_folder
from twinvec.convert.weight_only import make_weight_only
from twinvec.model.dtypes import (
    DTYPES,
    dtype_facts,
    makeable_dtypes,
    onnx_path,
    parity,
    weights_parts,
)
from twinvec.model.info import ModelInfo, weights_file
from twinvec.model.reference import check_vectors
from twinvec.site.build import build_site


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(root / "source"), root / "tiny")


def weights_sha256(folder: Path, dtype: str) -> object:
    return ModelInfo.from_folder(folder, "fp32").weights_sha256(dtype)


def vectors_of_any_dtype(folder: Path, dtype: str) -> object:
    """Let the facts say that they have references of the dtype, so that only its name is wrong."""
    info = ModelInfo.from_folder(folder, "fp32")
    info = replace(info, references={dtype: info.references["fp32"]})
    return check_vectors(info, dtype, np.zeros((1, info.dim), np.float32))


ENTRY_POINTS: dict[str, Callable[[Path, str], object]] = {
    "dtype_facts": lambda _, dtype: dtype_facts(dtype),
    "parity": lambda _, dtype: parity(dtype),
    "onnx_path": lambda _, dtype: onnx_path(dtype),
    "weights_parts": lambda _, dtype: weights_parts(dtype, ["onnx/model.onnx"]),
    "weights_file": weights_file,
    "ModelInfo.from_folder": ModelInfo.from_folder,
    "ModelInfo.weights_sha256": weights_sha256,
    "check_vectors": vectors_of_any_dtype,
    "find_model": lambda folder, dtype: find_model(folder, dtype=dtype),
    "from_hub": lambda folder, dtype: from_hub(
        "owner/name", "main", dtype, [], local_files_only=True, cache=folder
    ),
    "convert_folder": lambda folder, dtype: convert_folder(folder, folder / "new", [dtype]),
    "make_weight_only": lambda _, dtype: make_weight_only(onnx.ModelProto(), dtype),
    "build_site": lambda folder, dtype: build_site(folder / "site", folder, dtypes=[dtype]),
    "Embedder.from_pretrained": lambda folder, dtype: Embedder.from_pretrained(folder, dtype=dtype),
}


@pytest.mark.parametrize("dtype", ["nonsense", "", "W8", "_w8", "w8 "])
@pytest.mark.parametrize("call", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
def test_an_unknown_name_raises(
    folder: Path, call: Callable[[Path, str], object], dtype: str
) -> None:
    files = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match="unknown dtype") as caught:
        call(folder, dtype)
    assert repr(dtype) in str(caught.value)
    assert all(name in str(caught.value) for name in DTYPES)
    assert sorted(folder.rglob("*")) == files, "nothing was written"


COMMANDS = {
    "convert": ["{folder}", "{folder}/new"],
    "embed": ["{folder}/texts.txt", "--out", "{folder}/out.npy"],
    "index": ["{folder}", "-o", "{folder}/index"],
    "site": ["{folder}/site"],
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_command_line_refuses_an_unknown_name(folder: Path, verb: str) -> None:
    arguments = [argument.format(folder=folder) for argument in COMMANDS[verb]]
    answer = CliRunner().invoke(main, [verb, *arguments, "--dtype", "nonsense"])
    assert answer.exit_code == 2
    assert "'nonsense' is not one of 'fp32'" in answer.stderr
    choices = makeable_dtypes() if verb == "convert" else DTYPES
    assert all(f"'{name}'" in answer.stderr for name in choices)


def test_a_file_belongs_to_one_dtype() -> None:
    assert len({facts.suffix for facts in DTYPES.values()}) == len(DTYPES)
    assert onnx_path("fp32") == "onnx/model.onnx"
    assert onnx_path("q8") == "onnx/model_quantized.onnx"
    assert onnx_path("w8a8") == "onnx/model_w8a8.onnx"


def test_only_measured_dtypes_are_exact() -> None:
    exact = [dtype for dtype in DTYPES if parity(dtype) == "exact"]
    assert exact == ["fp32", "w8", "w16", "w8a8"]
    assert makeable_dtypes() == [*exact, "q8"]


def test_a_dtype_with_a_recipe_names_its_input() -> None:
    for facts in DTYPES.values():
        assert bool(facts.recipe) == bool(facts.made_from)
    assert not DTYPES["fp32"].derived
    assert [dtype for dtype, facts in DTYPES.items() if facts.derived] == [
        "q8",
        "w8",
        "w16",
        "w8a8",
    ]


def test_a_dtype_without_a_recipe_names_those_that_can_be_made(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot make dtype fp16.*: fp32, w8, w16, w8a8, q8$"):
        convert_folder(folder, folder / "new", ["w8", "fp16"])
    with pytest.raises(ValueError, match="w8 and w16, not w8a8"):
        make_weight_only(bert_graph(TINY, tiny_bert()), "w8a8")
    assert not (folder / "new").exists()


def test_parts_come_in_their_order_and_only_of_the_dtype() -> None:
    parts = [f"onnx/model_w8.onnx{end}" for end in ("", "_data", "_data_1", "_data_2", "_data_10")]
    others = ["onnx/model.onnx", "onnx/model_w8.onnx.data", "onnx/model_w8.onnx_data_x", "w8"]
    assert weights_parts("w8", [*others, *reversed(parts)]) == parts
