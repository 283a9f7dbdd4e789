"""`IndexReader`: what a search needs, checked before it ranks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conftest import finish
from indexes import DIM, FINGERPRINT, small_index, unit_vectors
from twinvec import Index, IndexMismatchError


def test_an_embedder_with_another_fingerprint_is_refused_by_field() -> None:
    other: Any = SimpleNamespace(fingerprint={"model": "some/model", "pooling": "cls"})
    message = r"pooling \(index: mean, embedder: cls\)"
    with pytest.raises(IndexMismatchError, match=message) as caught:
        small_index().search("one", other)
    assert "model (" not in str(caught.value)
    with pytest.raises(IndexMismatchError, match=message):
        small_index().search("one", other, mode="lexical")


def test_a_text_needs_an_embedder() -> None:
    for mode in ("semantic", "hybrid"):
        search: Any = small_index().search
        with pytest.raises(TypeError, match=f"mode '{mode}' needs the embedder as well"):
            search("one", mode=mode)


def test_a_vector_needs_a_method_of_its_own() -> None:
    query: Any = unit_vectors(1)
    with pytest.raises(TypeError, match="must be a str, not ndarray; for a vector use search_vect"):
        small_index().search(query)


def test_the_async_twins_return_the_same(tmp_path: Path) -> None:
    embedder: Any = SimpleNamespace(
        fingerprint=FINGERPRINT, encode_query=lambda _: unit_vectors(1), dim=DIM
    )

    async def aencode_query(_: str) -> Any:
        return unit_vectors(1)

    embedder.aencode_query = aencode_query
    small_index("int8").save(tmp_path)
    index, other = Index.load(tmp_path), finish(Index.aload(tmp_path))
    assert finish(other.adocuments(1, -1)) == index.documents(1, -1)
    vector = unit_vectors(3)[2]
    assert finish(other.asearch_vector(vector, k=2)) == index.search_vector(vector, k=2)
    options: list[Any] = [{"mode": mode} for mode in ("semantic", "lexical", "hybrid")]
    for option in [*options, {"filter": {"n": [1, 3]}, "k": 1}]:
        hits = index.search("text", embedder, **option)
        assert hits
        assert finish(other.asearch("text", embedder, **option)) == hits


def test_a_query_is_a_single_finite_vector() -> None:
    index = Index(FINGERPRINT, dim=3)
    eye = np.eye(3, dtype=np.float32)
    index.add_vectors(["one", "two", "three"], eye)
    assert index.search_vector(eye[:1], k=1)[0].text == "one"  # as `encode_query` returns it
    message = r"must be one vector \[3\], not an array of shape \(3, 3\)"
    with pytest.raises(ValueError, match=message):
        index.search_vector(eye)
    with pytest.raises(ValueError, match="not finite"):
        index.search_vector(np.full(3, np.nan, np.float32))
    with pytest.raises(ValueError, match="the query has 2 dims and the index 3"):
        index.search_vector(np.zeros(2, np.float32))
