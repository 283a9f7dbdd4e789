"""Vectors of the present index: taken unchanged where they can be, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import (
    DIM,
    FINGERPRINT,
    PRECISIONS,
    SMALL,
    TEXTS,
    flip_bit,
    results,
    shard_of,
    small_index,
    unit_vectors,
    write_small_shards,
)
from twinvec import Document, Index, IndexWriter


@pytest.mark.parametrize("precision", PRECISIONS)
def test_unchanged_texts_keep_their_vectors(tmp_path: Path, precision: Any) -> None:
    write_small_shards(tmp_path, precision)
    before = results(Index.load(tmp_path))
    options: Any = {"precision": precision, "dim": DIM, "limits": SMALL}
    with IndexWriter(tmp_path, FINGERPRINT, **options) as writer:
        texts = ["new", *TEXTS[1:], TEXTS[0]]
        stored = writer.find(texts)
        assert stored.tolist() == [-1, 1, 2, 3, 4, 0]
        documents = [Document(f"{n}!", text, {"n": n}) for n, text in enumerate(texts)]
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 70\]"):
            writer.add(documents, unit_vectors(6), stored=stored)
        writer.add(documents, -unit_vectors(1), stored=stored)
    loaded = Index.load(tmp_path)
    moved = [[5, 1, 2, 3, 4][hit.position] for hit in before[0]]
    assert [hit.position for hit in loaded.search_vector(unit_vectors(5)[0], k=3)] == moved
    scores = [hit.score for hit in loaded.search_vector(unit_vectors(5)[1], k=2)]
    assert scores == [hit.score for hit in before[1]][:2]


def test_vectors_with_another_fingerprint_or_precision_are_not_reused(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    for fingerprint, precision in (({"model": "other"}, "float32"), (FINGERPRINT, "int8")):
        options: Any = {"precision": precision, "dim": DIM}
        writer = IndexWriter(tmp_path, fingerprint, **options)
        assert writer.find(TEXTS).tolist() == [-1] * 5
        with pytest.raises(ValueError, match="the folder's index has 0 vectors"):
            writer.add([Document("a", "a", {})], [], stored=np.array([0]))


@pytest.mark.parametrize("kind", ["codes", "scales", "texts"])
def test_vectors_of_a_damaged_index_are_not_reused(tmp_path: Path, kind: str) -> None:
    small_index("int8").save(tmp_path)
    flip_bit(shard_of(tmp_path, kind))
    with IndexWriter(tmp_path, FINGERPRINT, precision="int8", dim=DIM) as writer:
        assert writer.find(TEXTS).tolist() == [-1] * 5
        writer.add([Document("a", "a", {})], unit_vectors(1))
    assert len(Index.load(tmp_path)) == 1
