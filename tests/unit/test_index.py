from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from twinvec import Index, IndexMismatchError

FINGERPRINT = {"model": "some/model", "pooling": "mean"}


def index() -> Index:
    return Index(["one", "two", "three"], np.eye(3, dtype=np.float32), FINGERPRINT)


def test_a_vector_ranks() -> None:
    hits = index().search(np.array([0, 2, 1], dtype=np.float32), k=2)
    assert [(hit.position, hit.text) for hit in hits] == [(1, "two"), (2, "three")]
    assert hits[0].score == pytest.approx(2 / 5**0.5)


def test_add_appends() -> None:
    one = index()
    one.add(["four"], np.array([[1, 0, 0]], dtype=np.float32))
    assert len(one) == 4
    assert [hit.text for hit in one.search(np.eye(3, dtype=np.float32)[0], k=2)] == ["one", "four"]


def test_what_is_saved_is_read_by_plain_numpy(tmp_path: Path) -> None:
    index().save(tmp_path / "made" / "here")
    vectors = np.load(tmp_path / "made" / "here" / "vectors.npy")
    assert vectors.tolist() == np.eye(3).tolist()
    loaded = Index.load(tmp_path / "made" / "here")
    assert loaded.texts == index().texts
    assert loaded.fingerprint == FINGERPRINT


def test_lone_surrogates_survive_saving(tmp_path: Path) -> None:
    one = index()
    one.add(["\ud800 x"], np.eye(3, dtype=np.float32)[:1])
    one.save(tmp_path)
    assert Index.load(tmp_path).texts[-1] == "\ud800 x"


def test_a_bare_string_is_not_a_list_of_characters() -> None:
    embedder: Any = SimpleNamespace()
    with pytest.raises(TypeError, match="not one str"):
        Index.build("What is?", embedder)


def test_a_foreign_embedder_is_refused_by_field() -> None:
    foreign: Any = SimpleNamespace(fingerprint={"model": "some/model", "pooling": "cls"})
    with pytest.raises(IndexMismatchError, match=r"pooling \(index: mean, embedder: cls\)") as err:
        index().search(np.zeros(3, np.float32), foreign)
    assert "model (" not in str(err.value)


def test_a_text_needs_an_embedder() -> None:
    with pytest.raises(TypeError, match="needs the embedder"):
        index().search("one")


def test_wrong_dims() -> None:
    with pytest.raises(ValueError, match="2 and 3 dims"):
        index().search(np.zeros(2, np.float32))


def test_what_does_not_fit_is_not_added() -> None:
    one: Any = index()
    eye = np.eye(3, dtype=np.float32)
    for texts, vectors in ((["four"], eye[:2]), (["four"], eye[0]), (["four"], eye[:1, :2])):
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 3\], not of shape"):
            one.add(texts, vectors)
    with pytest.raises(TypeError, match="not one str"):
        one.add("four", eye[:1])
    assert (len(one), one.vectors.shape) == (3, (3, 3))
    one.add(("four",), eye[:1].astype(np.float64))
    assert one.vectors.dtype == np.float32


def test_a_query_is_one_finite_vector() -> None:
    eye = np.eye(3, dtype=np.float32)
    assert index().search(eye[:1], k=1)[0].text == "one"  # as `encode_query` gives it
    with pytest.raises(ValueError, match=r"must be one vector, not of shape \(3, 3\)"):
        index().search(eye)
    with pytest.raises(ValueError, match="not finite"):
        index().search(np.full(3, np.nan, np.float32))


@pytest.mark.parametrize("text", ["[]", "{}", "null", "1", '"x"'])
def test_an_index_of_another_make_is_told(tmp_path: Path, text: str) -> None:
    index().save(tmp_path)
    (tmp_path / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"index\.json or vectors\.npy is damaged"):
        Index.load(tmp_path)


def test_an_empty_file_of_vectors_is_told(tmp_path: Path) -> None:
    index().save(tmp_path)
    (tmp_path / "vectors.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"vectors\.npy is damaged"):
        Index.load(tmp_path)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    index().save(tmp_path)
    np.save(tmp_path / "vectors.npy", np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match=r"3 texts but vectors of shape \(2, 2\)"):
        Index.load(tmp_path)
    (tmp_path / "vectors.npy").write_text("<!doctype html>", encoding="utf-8")
    with pytest.raises(ValueError, match=r"vectors\.npy is damaged"):
        Index.load(tmp_path)
    index().save(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"version": 9}), encoding="utf-8")
    with pytest.raises(ValueError, match="version 9 is unknown"):
        Index.load(tmp_path)
