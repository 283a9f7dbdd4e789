from __future__ import annotations

import pytest

from twinvec import Embedder
from twinvec.documents.chunker import Chunker
from twinvec.documents.passages import MAX_ANCHOR_CHARACTERS, passages_of
from twinvec.documents.section import MAX_HEADING_CHARACTERS, Section


@pytest.fixture
def chunker(embedder: Embedder) -> Chunker:
    return Chunker(embedder, 30, overlap=0)


def test_ids_are_unlike_whatever_the_anchors(chunker: Chunker) -> None:
    long = "word " * 50
    anchors = ["", "a", "a:2", "a", "2", "", "2:1", "2"]
    sections = [Section([long], anchor=anchor) for anchor in anchors]
    ids = [passage.id for passage in passages_of(sections, chunker, "x/y.md")]
    assert ids[:4] == ["x/y.md#1", "x/y.md#2", "x/y.md#a", "x/y.md#a:2"]
    assert len(set(ids)) == len(ids) == 16
    again = [passage.id for passage in passages_of(sections, chunker, "x/y.md")]
    assert ids == again


def test_metadata_tell_where_a_passage_is_from(chunker: Chunker) -> None:
    section = Section(["a"], ("A", "B"), "ü b", "A", None)
    page = Section(["a"], anchor="page=3", page=3)
    plain, paged = passages_of([section, page], chunker, "x.md", "https://e.org/x.md")
    assert plain.text == "A > B\na"
    assert plain.metadata == {
        "source": "x.md",
        "title": "A",
        "heading": "A > B",
        "anchor": "ü b",
        "url": "https://e.org/x.md#%C3%BC%20b",
    }
    assert paged.metadata == {
        "source": "x.md",
        "anchor": "page=3",
        "page": 3,
        "url": "https://e.org/x.md#page=3",
    }


def test_anchors_need_not_be_text(chunker: Chunker) -> None:
    (found,) = passages_of([Section(["a"], anchor="x\ud800")], chunker, "a.md", "/a.md")
    assert found.metadata["url"] == "/a.md#x%3F"


def test_anchors_that_look_numbered_do_not_nest_calls(chunker: Chunker) -> None:
    anchors = [*(f"x:{number}" for number in range(2, 2000)), "x", "x"]
    sections = [Section(["a"], anchor=anchor) for anchor in anchors]
    ids = [passage.id for passage in passages_of(sections, chunker, "a.md")]
    assert ids == [f"a.md#{anchor}" for anchor in [*anchors[:-1], "x:2000"]]


def test_long_names_are_not_repeated_in_every_passage(chunker: Chunker) -> None:
    long = "long " * 20_000
    section = Section(["a word " * 1000], (long, long), "a" * 100_000, long)
    passages = list(passages_of([section], chunker, "a.md", "/a.md"))
    assert len(passages) > 1000
    for passage in passages:
        assert len(passage.metadata["heading"]) == 2 * MAX_HEADING_CHARACTERS + len(" > ")
        assert len(passage.metadata["title"]) == MAX_HEADING_CHARACTERS
        assert passage.metadata["url"] == "/a.md"
        assert len(passage.id) < 20
    assert sum(passage.text.count("long") for passage in passages) == 20_000
    kept = Section(["a"], anchor="a" * MAX_ANCHOR_CHARACTERS)
    (passage,) = passages_of([kept], chunker, "a.md")
    assert passage.metadata["anchor"] == kept.anchor
