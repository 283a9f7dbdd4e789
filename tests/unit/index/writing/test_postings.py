"""Sorting in bounded memory gives what sorting at once gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexes import DIM, FINGERPRINT, content, unit_vectors
from twinvec import Document, Index, IndexWriter
from twinvec.index.writing.shards import Limits

TEXTS = [" ".join(f"word{n % k}" for k in range(1, 12)) for n in range(60)]


def write(folder: Path, limits: Limits) -> Index:
    documents = [Document(str(n), text) for n, text in enumerate(TEXTS)]
    with IndexWriter(folder, FINGERPRINT, precision="binary", dim=DIM, limits=limits) as writer:
        writer.add(documents, unit_vectors(len(TEXTS)))
    return Index.load(folder)


@pytest.mark.parametrize("sorted_terms", [1, 40, 650])
def test_any_number_of_runs_gives_the_same_postings(tmp_path: Path, sorted_terms: int) -> None:
    write(tmp_path / "once", Limits())
    write(tmp_path / "runs", Limits(sorted_terms=sorted_terms))
    assert content(tmp_path / "runs") == content(tmp_path / "once")


@pytest.mark.parametrize("shard_postings", [1, 7, 100])
def test_any_number_of_shards_ranks_alike(tmp_path: Path, shard_postings: int) -> None:
    once = write(tmp_path / "once", Limits())
    ranges = write(tmp_path / "ranges", Limits(sorted_terms=40, shard_postings=shard_postings))
    assert len(list((tmp_path / "ranges").glob("postings-*"))) > 1
    for query in ("word1", "word3 word9", "word0 word2 unknown"):
        assert ranges.search(query, mode="lexical") == once.search(query, mode="lexical")


def test_a_term_is_counted_up_to_65535_times(tmp_path: Path) -> None:
    with IndexWriter(tmp_path, FINGERPRINT, precision="binary", dim=DIM) as writer:
        writer.add([Document("0", "a " * 70_000)], unit_vectors(1))
    (file,) = tmp_path.glob("postings-*")
    assert np.load(file).tolist() == [(0, 65_535)]
    (file,) = tmp_path.glob("lengths-*")
    assert np.load(file).tolist() == [70_000]
