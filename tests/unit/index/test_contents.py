"""Adding and removing documents: all or none, each with an id of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from indexes import FINGERPRINT
from twinvec import Hit, Index, normalize

EYE = np.eye(3, dtype=np.float32)


def three() -> Index:
    index = Index(FINGERPRINT, dim=3)
    index.add_vectors(["one", "two", "three"], EYE)
    return index


def positions(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


def test_documents_are_appended() -> None:
    index = three()
    index.add_vectors(["four"], EYE[:1], metadata=[{"a": 1}])
    assert len(index) == 4
    hits = index.search_vector(EYE[0], k=2)
    assert [(hit.text, hit.id, hit.metadata) for hit in hits] == [
        ("one", "0", {}),
        ("four", "3", {"a": 1}),
    ]


def test_each_document_needs_a_unique_id() -> None:
    index = Index(FINGERPRINT, dim=3)
    index.add_vectors(["a", "b"], EYE[:2], ids=["x", "y"])
    assert [document.id for document in index.documents()] == ["x", "y"]
    with pytest.raises(ValueError, match=r"ids\[0\]: the id 'y' is already in use"):
        index.add_vectors(["c"], EYE[:1], ids=["y"])
    with pytest.raises(ValueError, match=r"ids\[1\]: the id 'z' is already in use"):
        index.add_vectors(["c", "d"], EYE[:2], ids=["z", "z"])
    with pytest.raises(ValueError, match="2 texts need as many ids, not 1"):
        index.add_vectors(["c", "d"], EYE[:2], ids=["z"])
    with pytest.raises(ValueError, match=r"metadata\[0\] is not JSON"):
        index.add_vectors(["c"], EYE[:1], metadata=[{"when": object()}])
    assert len(index) == 2


def test_ids_count_on_and_skip_those_in_use() -> None:
    index = Index(FINGERPRINT, dim=3)
    index.add_vectors(["a", "b"], EYE[:2], ids=["2", "x"])
    index.add_vectors(["c", "d"], EYE[:2])
    assert [document.id for document in index.documents()] == ["2", "x", "3", "4"]


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_removed_documents_are_not_found(precision: Any) -> None:
    draw = np.random.default_rng(0)
    vectors = normalize(draw.standard_normal((6000, 64)).astype(np.float32))
    index = Index(FINGERPRINT, dim=64, precision=precision)
    index.add_vectors([f"text {n}" for n in range(6000)], vectors)
    index.remove(["7", "9"])
    assert len(index) == 5998
    assert 7 not in positions(index.search_vector(vectors[7], k=5990))
    assert [document.id for document in index.documents(6, 9)] == ["6", "8", "10"]
    assert 7 not in positions(index.search("text 7", mode="lexical", k=6000))
    with pytest.raises(KeyError, match="no document has the id '7'"):
        index.remove(["8", "7"])
    assert len(index) == 5998
    index.add_vectors(["text 7, back"], vectors[7:8], ids=["7"])
    assert index.search_vector(vectors[7], k=1)[0].text == "text 7, back"


def test_all_documents_may_be_removed() -> None:
    index = three()
    index.remove(["0", "1", "2"])
    assert (len(index), index.documents()) == (0, [])
    assert index.search_vector(np.ones(3, np.float32)) == []
    assert index.search("one", mode="lexical") == []


def test_documents_with_wrong_vectors_are_not_added() -> None:
    index: Any = three()
    for texts, vectors in ((["four"], EYE[:2]), (["four"], EYE[0]), (["four"], EYE[:1, :2])):
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 3\], not of shape"):
            index.add_vectors(texts, vectors)
    with pytest.raises(TypeError, match="not one str"):
        index.add_vectors("four", EYE[:1])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"vectors\[1\] is not finite"):
            index.add_vectors(["four", "five"], np.array([[1, 0, 0], [0, bad, 0]]))
    for length in (5.58, 0.9, 1e-4, 1e30):
        with pytest.raises(ValueError, match=r"vectors\[1\] has the length .*normalize"):
            index.add_vectors(["four", "five"], np.array([[1, 0, 0], [0, length, 0]]))
    assert len(index) == len(index.search_vector(EYE[0])) == 3
    rounded = normalize(np.ones((1, 3), np.float32)).astype(np.float16)
    index.add_vectors(["float16 is precise enough"], rounded)
    index.remove(["3"])
    index.add_vectors(("four",), EYE[:1].astype(np.float64))
    assert len(index) == 4
