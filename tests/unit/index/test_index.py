"""`Index`: documents are added, removed, saved, and found again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from conftest import finish
from indexes import (
    DIM,
    FINGERPRINT,
    PRECISIONS,
    TEXTS,
    listed,
    results,
    small_index,
    unit_vectors,
)
from twinvec import Index, IndexMismatchError, normalize
from twinvec.index.stores.folder import FolderStore


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_saved_index_ranks_the_same(tmp_path: Path, precision: str) -> None:
    saved = small_index(precision)
    saved.save(tmp_path / "new" / "folder")
    loaded = Index.load(tmp_path / "new" / "folder")
    assert (len(loaded), loaded.fingerprint, loaded.precision) == (5, FINGERPRINT, precision)
    assert results(loaded) == results(saved)
    assert loaded.documents() == saved.documents()
    assert [hit.text for hit in loaded.search("third", mode="lexical")] == ["\ud800 third"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_index_is_changed_and_saved_in_its_own_folder(tmp_path: Path, precision: str) -> None:
    small_index(precision).save(tmp_path)
    loaded = Index.load(tmp_path)
    loaded.remove(["1", "2"])
    with pytest.raises(ValueError, match="'0' is already in use"):
        loaded.add_vectors(["x"], unit_vectors(1), ids=["0"])
    loaded.add_vectors(["a new text"], unit_vectors(6)[5:])
    before = [[(hit.id, hit.score) for hit in hits] for hits in results(loaded)]
    for _ in range(2):
        loaded.save(tmp_path)
        after = [[(hit.id, hit.score) for hit in hits] for hits in results(loaded)]
        assert after == before
    assert [document.id for document in loaded.documents()] == ["0", "3", "4", "5"]
    assert {file.name for file in tmp_path.iterdir()} == listed(tmp_path)
    loaded.add_vectors(["x"], unit_vectors(1))
    assert loaded.documents(-1)[0].id == "6"  # 4 and 5 are in use


def test_an_empty_index_is_saved(tmp_path: Path) -> None:
    for precision in PRECISIONS:
        index = Index(FINGERPRINT, dim=DIM, precision=cast("Any", precision))
        index.save(tmp_path)
        loaded = Index.load(tmp_path)
        assert (len(loaded), loaded.documents()) == (0, [])
        assert loaded.search_vector(unit_vectors(1)) == loaded.search("a", mode="lexical") == []
        loaded.add_vectors(["a"], unit_vectors(1))
        assert loaded.search("a", mode="lexical")[0].id == "0"


def test_an_index_without_terms_is_saved(tmp_path: Path) -> None:
    small_index(lexical=False).save(tmp_path)
    assert list(tmp_path.glob("postings-*")) == []
    loaded = Index.load(tmp_path)
    with pytest.raises(ValueError, match="this index has none; build it with lexical=True"):
        loaded.search("one", mode="lexical")


@pytest.mark.parametrize("where", ["index", "index.zip"])
def test_changes_during_a_save_are_not_lost(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several event loops, whenever the other calls come, with slow files."""
    count = 2100  # three reads

    async def read_slowly(self: FolderStore, parts: Any) -> list[bytes]:
        await asyncio.sleep(0)
        return self.read(parts)

    monkeypatch.setattr(FolderStore, "aread", read_slowly)
    index = Index(FINGERPRINT, dim=8)
    index.add_vectors(map(str, range(count)), unit_vectors(count, 8))
    index.save(tmp_path / where)
    loaded = Index.load(tmp_path / where)

    async def change(turn: int) -> None:
        saving = asyncio.create_task(loaded.asave(tmp_path / where))
        for _ in range(turn):
            await asyncio.sleep(0)
        added = loaded.aadd_vectors(["new"], unit_vectors(1, 8), ids=[f"new {turn}"])
        await asyncio.gather(added, loaded.aremove([str(turn)]), saving)

    for turn in range(5):
        finish(change(turn))
        expected = [*map(str, range(turn + 1, count)), *(f"new {n}" for n in range(turn + 1))]
        assert [document.id for document in loaded.documents()] == expected
        finish(loaded.asave(tmp_path / where))
        assert Index.load(tmp_path / where).documents() == loaded.documents()


def test_an_index_whose_folder_was_moved_is_saved_elsewhere(tmp_path: Path) -> None:
    small_index().save(tmp_path / "a")
    loaded = Index.load(tmp_path / "a")
    documents = loaded.documents()
    (tmp_path / "a").rename(tmp_path / "b")
    loaded.save(tmp_path / "c")
    assert Index.load(tmp_path / "c").documents() == documents


def test_a_single_string_is_not_a_list_of_texts() -> None:
    embedder: Any = SimpleNamespace()
    with pytest.raises(TypeError, match="not one str"):
        Index.build("What is?", embedder)


def test_an_embedder_with_another_fingerprint_cannot_add() -> None:
    index = small_index()
    other: Any = SimpleNamespace(fingerprint={"model": "some/model", "pooling": "cls"})
    with pytest.raises(IndexMismatchError, match=r"pooling \(index: mean, embedder: cls\)"):
        index.add(["a"], other)
    with pytest.raises(IndexMismatchError, match=r"pooling \(index: mean, embedder: cls\)"):
        finish(index.aadd(["a"], other))
    assert len(index) == len(TEXTS)


def test_the_precision_depends_on_the_number_of_texts() -> None:
    embedder: Any = SimpleNamespace(
        fingerprint=FINGERPRINT,
        info=SimpleNamespace(dim=3),
        encode_document=lambda texts, **_: normalize(np.ones((len(texts), 3), np.float32)),
    )
    assert Index.build(["a"] * 5000, embedder).precision == "float32"
    assert Index.build(["a"] * 5001, embedder).precision == "int8"
    assert Index.build(["a"], embedder, precision="binary").precision == "binary"
    with pytest.raises(ValueError, match="unknown precision 'int4'"):
        Index(FINGERPRINT, dim=3, precision=cast("Any", "int4"))
