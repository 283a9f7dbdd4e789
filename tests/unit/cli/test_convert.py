from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from command import report_of, twinvec
from synthetic import TINY, bert_weights, write_tiny
from twinvec import Embedder, ModelNotFoundError
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.convert.bert import bert_graph
from twinvec.convert.quality import QUALITY_TEXTS


def test_a_missing_dtype_of_a_folder_can_be_made(tmp_path: Path) -> None:
    folder, _ = find_model(EMBEDDED.name, dtype="fp32")
    with pytest.raises(ModelNotFoundError, match=r"dtype fp32; make w8 from fp32 weights with: tw"):
        Embedder.from_pretrained(folder, dtype="w8")
    answer = twinvec("convert", folder, tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    dtypes = [line.split()[0] for line in answer.output.splitlines()]
    assert dtypes == ["fp32", "w8", "w16", "w8a8", "q8"]
    small = Embedder.from_pretrained(tmp_path / "out", dtype="w8")
    pinned = Embedder.from_pretrained(EMBEDDED.name, dtype="w8")
    assert np.array_equal(small.encode(QUALITY_TEXTS), pinned.encode(QUALITY_TEXTS))
    again = twinvec("convert", folder, tmp_path / "out")
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_a_dtype_that_cannot_be_made_is_left_out(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source")
    (source / "onnx").mkdir()
    config = {**TINY, "max_position_embeddings": 1025}
    onnx.save(bert_graph(config, bert_weights(config, 0.3)), source / "onnx" / "model.onnx")
    arguments = ("convert", source, tmp_path / "made")
    refused = twinvec(*arguments, "--dtype", "w8a8")
    assert refused.exit_code == 1
    assert "1025 positions" in refused.output
    answer = twinvec(*arguments, "--json")
    assert [row["dtype"] for row in report_of(answer)] == ["fp32", "w8", "w16", "q8"]
    assert "Left out: w8a8 cannot be made of a model with 1025 positions" in answer.stderr


def test_each_dtype_is_reported(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source")
    answer = twinvec("convert", source, tmp_path / "made", "--dtype", "w16", "--json")
    (row,) = report_of(answer)
    assert (row["dtype"], row["parity"]) == ("w16", "exact")
    assert row["bytes"] == (tmp_path / "made" / "onnx" / "model_w16.onnx").stat().st_size
    assert 0.9999 < row["cosine"] <= 1
    again = twinvec("convert", source, tmp_path / "made")
    assert again.exit_code == 1
    assert "is not empty; choose another folder" in again.output


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    answer = twinvec("convert", tmp_path, tmp_path / "out")
    assert answer.exit_code == 1
    assert "has neither onnx/model.onnx nor model.safetensors" in answer.stderr
