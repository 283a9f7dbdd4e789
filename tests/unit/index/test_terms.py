"""Terms and BM25, in memory and saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexes import FINGERPRINT
from twinvec import Hit, Index
from twinvec.index.stores.base import Part
from twinvec.index.stores.folder import FolderStore
from twinvec.index.terms import tokenize


def index_of(texts: Sequence[str]) -> Index:
    index = Index(FINGERPRINT, dim=3)
    index.add_vectors(texts, np.eye(1, 3, dtype=np.float32).repeat(len(texts), axis=0))
    return index


def positions(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


def test_a_term_is_a_word_in_lower_case() -> None:
    assert tokenize("The CAT, the cat_2: Stra\u00dfe!") == ["the", "cat", "the", "cat_2", "strasse"]
    assert tokenize("Cafe\u0301") == tokenize("CAF\u00c9") == ["caf\u00e9"]
    assert tokenize(" ... ") == []


def test_the_score_is_lucenes_bm25() -> None:
    index = index_of(["the Cat", "the cat sat, the cat ran", "a dog"])
    hits = index.search("CAT the unknown", mode="lexical")
    assert positions(hits) == [0, 1]
    idf = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    mean = (2 + 6 + 2) / 3
    expected = 2 * idf * 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / mean))
    assert hits[0].score == pytest.approx(expected, abs=1e-9)
    assert index.search("unknown", mode="lexical") == []


def test_accents_are_found_however_they_are_written(tmp_path: Path) -> None:
    index = index_of(["Das Café in München", "a car", "Das Cafe\u0301 in Mu\u0308nchen"])
    index.save(tmp_path)
    for searched in (index, Index.load(tmp_path)):
        for query in ("CAFÉ", "cafe\u0301", "münchen", "mu\u0308nchen"):
            assert positions(searched.search(query, mode="lexical")) == [0, 2]
        assert searched.search("cafe", mode="lexical") == []


def test_only_the_rarest_of_very_many_query_terms_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files_read: list[str] = []
    read = FolderStore.read

    def watch(self: FolderStore, parts: Sequence[Part]) -> list[bytes]:
        files_read.extend(part.file for part in parts)
        return read(self, parts)

    monkeypatch.setattr(FolderStore, "read", watch)
    frequent = [f"often{number}" for number in range(60)]
    rare = [f"rare{number}" for number in range(60)]
    index = index_of([*([" ".join(frequent)] * 3), *(f"{term} {frequent[0]}" for term in rare)])
    index.save(tmp_path)
    loaded = Index.load(tmp_path)
    unknown = [f"unknown{number}" for number in range(100)]
    query = " ".join([*frequent, *unknown, *rare])
    fewer = " ".join([*frequent[1:5], *rare])  # 64: the first of those in three texts
    expected = index.search(fewer, mode="lexical", k=100)
    assert len(expected) == 63
    assert index.search(query, mode="lexical", k=100) == expected
    assert loaded.search(query, mode="lexical", k=100) == expected
    assert sum(name.startswith("postings-") for name in files_read) == 64
    few = " ".join(frequent)
    with_unknown = " ".join([few, *unknown])
    assert index.search(few, mode="lexical") == index.search(with_unknown, mode="lexical")
    for searched in (index, loaded):
        searched.add_vectors([" ".join(frequent[1:3])], np.eye(1, 3, dtype=np.float32))
    fewer = " ".join([*frequent[3:7], *rare])
    assert index.search(query, mode="lexical") == index.search(fewer, mode="lexical")
    assert loaded.search(query, mode="lexical") == loaded.search(fewer, mode="lexical")
