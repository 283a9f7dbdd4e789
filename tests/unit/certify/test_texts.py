"""The texts of a certificate."""

from __future__ import annotations

import pytest

from twinvec.certify.texts import ODD, code, default_sample, is_document, prose, sample_of


def test_the_long_sample_has_over_300_texts_and_the_quick_one_a_few_dozen() -> None:
    long, quick = default_sample(), default_sample(quick=True)
    assert len(set(long.texts)) > 300
    assert set(ODD) < set(quick.texts)
    assert len(quick.texts) < 60
    assert len(set(long.queries)) == 50


def test_they_are_the_same_every_time() -> None:
    assert prose(5, seed=3) == prose(5, seed=3)
    assert prose(5, seed=3) != prose(5, seed=4)
    assert len(code(9)) == 9


def test_an_index_holds_each_document_once() -> None:
    sample = sample_of(["a panda", "a panda", " ", "lone \ud800"])
    assert sample.documents == ["a panda"]
    assert sample.queries == ["a panda"]
    assert not is_document("")


def test_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        sample_of([])
