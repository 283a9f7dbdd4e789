from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthetic import write_tiny
from twinvec import Embedder, ParityError
from twinvec.convert.folder import convert_folder
from twinvec.model.info import REFERENCE_FILE, SHA256SUMS, ModelInfo
from twinvec.model.reference import check_vectors, reference_texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made", ["fp32", "w8"])


@pytest.mark.parametrize("dtype", ["fp32", "w8"])
def test_a_converted_folder_has_references(folder: Path, dtype: str) -> None:
    info = ModelInfo.from_folder(folder, dtype)
    embedder = Embedder.from_pretrained(folder, dtype=dtype)
    texts = reference_texts(info, dtype)
    assert len(texts) >= 3
    vectors = embedder.encode(texts, pooling="mean")
    assert check_vectors(info, dtype, vectors) <= 1e-8  # rounded to nine decimals


def test_opening_compares(folder: Path) -> None:
    file = folder / REFERENCE_FILE
    block = json.loads(file.read_text(encoding="utf-8"))
    block["w8"]["vectors"][0][5] += 1e-3
    file.write_text(json.dumps(block), encoding="utf-8")
    (folder / SHA256SUMS).unlink()
    Embedder.from_pretrained(folder)  # fp32 is as it was
    with pytest.raises(ParityError, match=r"made \(w8\) gives vectors that differ by 0.001 from"):
        Embedder.from_pretrained(folder, dtype="w8")
    Embedder.from_pretrained(folder, dtype="w8", self_check=False)


def test_limits_do_not_disturb_it(folder: Path) -> None:
    limited = Embedder.from_pretrained(folder, max_length=1, truncate_dim=8)
    assert limited.encode(["word1 word2"]).shape == (1, 8)


def test_vectors_that_are_not_numbers_fail(folder: Path) -> None:
    info = ModelInfo.from_folder(folder, "fp32")
    with pytest.raises(ParityError, match="differ by nan"):
        check_vectors(info, "fp32", np.full((1, 32), np.nan, np.float32))
