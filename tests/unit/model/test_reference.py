"""Recorded vectors are compared at opening, whatever the embedder's limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthetic import write_tiny
from twinvec import Embedder, ParityError
from twinvec.convert.folder import convert_folder
from twinvec.model.info import REFERENCE_FILE, SHA256SUMS, ModelInfo
from twinvec.model.reference import REFERENCE_TEXTS, check_vectors, record, reference_texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return convert_folder(write_tiny(tmp_path / "source"), tmp_path / "made", ["fp32", "w8"])


@pytest.mark.parametrize("dtype", ["fp32", "w8"])
def test_a_converted_folder_has_references(folder: Path, dtype: str) -> None:
    info = ModelInfo.from_folder(folder, dtype)
    embedder = Embedder.from_pretrained(folder, dtype=dtype)
    texts = reference_texts(info, dtype)
    assert texts == list(REFERENCE_TEXTS)
    vectors = embedder.encode(texts, pooling="mean")
    assert check_vectors(info, dtype, vectors) <= 1e-8  # rounded to nine decimals


def test_opening_compares(folder: Path) -> None:
    file = folder / REFERENCE_FILE
    references = json.loads(file.read_text(encoding="utf-8"))
    references["w8"]["vectors"][0][5] += 1e-3
    file.write_text(json.dumps(references), encoding="utf-8")
    (folder / SHA256SUMS).unlink()
    Embedder.from_pretrained(folder)  # fp32 is unchanged
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


def test_a_record_is_json_of_rounded_vectors() -> None:
    vectors = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    recorded = json.loads(json.dumps(record(vectors)))
    assert recorded["texts"] == list(REFERENCE_TEXTS)
    assert np.abs(np.array(recorded["vectors"]) - vectors).max() <= 5e-10


def test_a_dtype_without_references_has_no_texts(folder: Path) -> None:
    info = ModelInfo.from_folder(folder, "w8")
    assert reference_texts(info, "fp32") == []
