"""Terms and BM25, in memory and saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from indexes import FINGERPRINT, change_manifest
from twinvec import Hit, Index, IndexFormatError
from twinvec.index.format import POSTING, digest, text_digest
from twinvec.index.npy import to_npy
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


POSTINGS: dict[str, tuple[list[tuple[int, int]], list[list[int]]]] = {
    "row out of range": ([(0, 1), (9, 1)], []),
    "rows descend": ([(1, 1), (0, 1)], []),
    "row twice": ([(0, 1), (0, 1)], []),
    "no count": ([(0, 1), (1, 0)], []),
    "count above the length": ([(0, 1), (1, 65_535)], []),
    "terms descend": ([(0, 1), (1, 1)], [[1, 1]]),
    "start out of range": ([(0, 1), (1, 1)], [[2**64 - 1, 5]]),
    "starts equal": ([(0, 1), (1, 1)], [[2**64 - 1, 0]]),
}


@pytest.mark.parametrize("name", POSTINGS)
def test_postings_that_do_not_fit_are_an_error(tmp_path: Path, name: str) -> None:
    """Their digests are right: a stranger wrote them."""
    pairs, more_terms = POSTINGS[name]
    index_of(["cat", "cat"]).save(tmp_path)
    postings = np.array(pairs, POSTING)
    first = [text_digest("cat"), 0, digest(postings.tobytes())]
    terms = np.array([first, *[[*term, 0] for term in more_terms]], np.uint64)
    shards = json.loads((tmp_path / "index.json").read_bytes())["shards"]
    for kind, array in (("postings", postings), ("terms", terms)):
        content = to_npy(array)
        sha256 = hashlib.sha256(content).hexdigest()
        file = f"{kind}-{sha256[:16]}.npy"
        (tmp_path / file).write_bytes(content)
        shards[kind] = [{"file": file, "rows": len(array), "bytes": len(content), "sha256": sha256}]
    change_manifest(tmp_path, shards=shards)
    message = "do not fit the documents|do not follow each other|do not ascend"
    with pytest.raises(IndexFormatError, match=message):
        Index.load(tmp_path).search("cat", mode="lexical")
