"""`twinvec convert` makes all that can be made, and says which it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from synthetic import TINY, bert_weights, write_tiny
from twinvec import Embedder, ModelNotFoundError
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.cli import main
from twinvec.convert.bert import bert_graph
from twinvec.convert.quality import QUALITY_TEXTS


def test_a_local_folder_without_it_says_how_to_make_it(tmp_path: Path) -> None:
    folder, _ = find_model(EMBEDDED.name, dtype="fp32")
    with pytest.raises(ModelNotFoundError, match=r"dtype fp32; make w8 from fp32 weights with: tw"):
        Embedder.from_pretrained(folder, dtype="w8")
    answer = CliRunner().invoke(main, ["convert", str(folder), str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    made = [line.split()[0] for line in answer.output.splitlines()]
    assert made == ["fp32", "w8", "w16", "w8a8", "q8"]
    small = Embedder.from_pretrained(tmp_path / "out", dtype="w8")
    known = Embedder.from_pretrained(EMBEDDED.name, dtype="w8")
    assert np.array_equal(small.encode(QUALITY_TEXTS), known.encode(QUALITY_TEXTS))
    again = CliRunner().invoke(main, ["convert", str(folder), str(tmp_path / "out")])
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_convert_leaves_out_what_cannot_be_made(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "source")
    (source / "onnx").mkdir()
    config = {**TINY, "max_position_embeddings": 1025}
    onnx.save(bert_graph(config, bert_weights(config, 0.3)), source / "onnx" / "model.onnx")
    arguments = ["convert", str(source), str(tmp_path / "made")]
    refused = CliRunner().invoke(main, [*arguments, "--dtype", "w8a8"])
    assert refused.exit_code == 1
    assert "1025 positions" in refused.output
    answer = CliRunner().invoke(main, [*arguments, "--json"])
    assert [row["dtype"] for row in json.loads(answer.stdout)] == ["fp32", "w8", "w16", "q8"]
    assert "Left out: w8a8 cannot be made of a model with 1025 positions" in answer.stderr
