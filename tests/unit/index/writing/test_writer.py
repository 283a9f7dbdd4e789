"""`IndexWriter`: batches in order, and errors that leave the written documents as they are."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexes import (
    DIM,
    FINGERPRINT,
    PRECISIONS,
    TEXTS,
    content,
    small_index,
    unit_vectors,
)
from twinvec import Document, Index, IndexWriter, ParityWarning


def test_an_exception_leaves_the_old_index(tmp_path: Path) -> None:
    small_index().save(tmp_path)
    before = content(tmp_path)
    writer = IndexWriter(tmp_path, FINGERPRINT, precision="float32", dim=DIM)
    documents = [Document(str(n), "text", {}) for n in range(5)]
    batches = iter([unit_vectors(5), unit_vectors(4)])
    with pytest.raises(ValueError, match="not of shape"), writer:
        list(map(partial(writer.add, documents), batches))
    assert content(tmp_path) == before


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_array_may_be_filled_again(tmp_path: Path, precision: Any) -> None:
    small_index(precision).save(tmp_path / "at once")
    batch = np.empty((1, DIM), np.float32)
    index = Index(FINGERPRINT, dim=DIM, precision=precision)
    with IndexWriter(tmp_path / "a", FINGERPRINT, precision=precision, dim=DIM) as writer:
        for n, (text, vector) in enumerate(zip(TEXTS, unit_vectors(5), strict=True)):
            batch[:] = vector
            writer.add([Document(str(n), text, {"n": n})], batch)
            index.add_vectors([text], batch, metadata=[{"n": n}])
    index.save(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(tmp_path / "at once")


def test_documents_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    documents = [Document(name, name, {}) for name in "ab"]
    c = [Document("c", "c", {})]
    with IndexWriter(tmp_path, FINGERPRINT, precision="int8", dim=DIM) as writer:
        writer.add(documents, unit_vectors(2))
        with pytest.raises(ValueError, match=r"documents\[3\]: the id 'b' is already in use"):
            writer.add([*c, documents[1]], unit_vectors(2))
        with pytest.raises(ValueError, match=r"documents\[2\]: its metadata is not JSON"):
            writer.add([Document("c", "c", {"x": {1}})], unit_vectors(1))
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 70\]"):
            writer.add(c, unit_vectors(2))
        with pytest.raises(ValueError, match=r"vectors\[0\] is not finite"):
            writer.add(c, np.full((1, DIM), np.nan))
        with pytest.raises(ValueError, match=r"stored must have 1 rows, not the shape \(2,\)"):
            writer.add(c, [], stored=np.array([0, 1]))
        writer.add(c, unit_vectors(3)[2:])
        assert len(writer) == 3
    assert [document.id for document in Index.load(tmp_path).documents()] == ["a", "b", "c"]


def test_approximate_vectors_are_written_with_a_warning(tmp_path: Path) -> None:
    index = Index({"parity": "approximate"}, dim=DIM)
    with pytest.warns(ParityWarning, match="another runtime computes slightly different"):
        index.save(tmp_path)
