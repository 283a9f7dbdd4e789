"""`Index` in memory: ranking, ids, adding and removing, filters, modes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from twinvec import Hit, Index, IndexMismatchError, dot, normalize
from twinvec.index.stores.base import Part
from twinvec.index.stores.folder import FolderStore

FINGERPRINT = {"model": "some/model", "pooling": "mean"}
NONE = np.empty(0, np.int64)


def index(**options: Any) -> Index:
    made = Index(FINGERPRINT, dim=3, **options)
    made.add_vectors(["one", "two", "three"], np.eye(3, dtype=np.float32))
    return made


def random(count: int, dim: int = 64, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    return normalize(draw.standard_normal((count, dim)).astype(np.float32))


def filled(count: int, precision: Any, dim: int = 64) -> tuple[Index, Any]:
    made = Index(FINGERPRINT, dim=dim, precision=precision)
    vectors = random(count, dim)
    numbers = [{"even": i % 2 == 0, "tags": [str(i % 10), "all"]} for i in range(count)]
    made.add_vectors([f"text {i}" for i in range(count)], vectors, metadata=numbers)
    return made, vectors


def places(hits: list[Hit]) -> list[int]:
    return [hit.position for hit in hits]


def test_a_vector_ranks() -> None:
    hits = index().search_vector(np.array([0, 2, 1], dtype=np.float32), k=2)
    assert [(hit.position, hit.id, hit.text) for hit in hits] == [
        (1, "1", "two"),
        (2, "2", "three"),
    ]
    assert hits[0].score == pytest.approx(2 / 5**0.5)
    assert hits[0].metadata == {}


def test_more_hits_than_there_are_texts() -> None:
    assert places(index().search_vector(np.ones(3, np.float32), k=100)) == [0, 1, 2]
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        index().search_vector(np.ones(3, np.float32), k=0)


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
@pytest.mark.parametrize("mode", ["semantic", "lexical", "hybrid"])
def test_an_empty_index_finds_nothing(precision: Any, mode: Any) -> None:
    embedder: Any = SimpleNamespace(
        fingerprint=FINGERPRINT, encode_query=lambda _: np.ones((1, 3), np.float32)
    )
    made = Index(FINGERPRINT, dim=3, precision=precision)
    assert (len(made), made.search("a", embedder, mode=mode), made.documents()) == (0, [], [])
    made.add_vectors([], np.empty((0, 3), np.float32))
    assert (len(made), made.search("a", embedder, mode=mode)) == (0, [])


@pytest.mark.parametrize("count", [100, 6000])
@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_equal_vectors_get_equal_scores_in_their_order(count: int, precision: Any) -> None:
    made, vectors = filled(count, precision)
    again = [5, 17, 31, 64, 99]
    made.add_vectors(["again"] * len(again), np.repeat(vectors[7:8], len(again), axis=0))
    hits = made.search_vector(vectors[7], k=6)
    assert places(hits) == [7, *range(count, count + len(again))]
    assert len({hit.score for hit in hits}) == 1


def test_more_ties_than_candidates_stand_in_their_order() -> None:
    for precision in ("float32", "int8", "binary"):
        made = Index(FINGERPRINT, dim=8, precision=cast("Any", precision))
        made.add_vectors([str(i) for i in range(9000)], normalize(np.ones((9000, 8), np.float32)))
        assert places(made.search_vector(np.ones(8, np.float32), k=12)) == list(range(12))


def test_int8_is_near_to_exact() -> None:
    made, vectors = filled(6000, "int8", 384)
    exact, _ = filled(6000, "float32", 384)
    for query in normalize(vectors[:50] + random(50, 384, seed=1)):
        near, best = made.search_vector(query), exact.search_vector(query)
        expected = np.argsort(-dot(query, vectors)[0], kind="stable")[:10]
        assert places(best) == expected.tolist()
        assert near[0].position == best[0].position
        assert abs(near[0].score - best[0].score) < 0.01


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
@pytest.mark.parametrize("dim", [5, 64, 100])
def test_any_number_of_dims(precision: Any, dim: int) -> None:
    made, vectors = filled(5000, precision, dim)
    if precision == "binary":
        signs = np.where(vectors[3] > 0, 1, -1) / dim**0.5
        assert made.search_vector(signs, k=1)[0].score == pytest.approx(1)
    else:
        hit = made.search_vector(vectors[3], k=1)[0]
        assert hit.position == 3
        assert hit.score == pytest.approx(1, abs=0.02)


def test_a_zero_vector_is_kept() -> None:
    made = Index(FINGERPRINT, dim=3, precision="int8")
    made.add_vectors(["zero", "one"], np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    one, zero = made.search_vector(np.eye(3, dtype=np.float32)[0])
    assert (one.text, zero.text, zero.score) == ("one", "zero", 0)
    assert one.score == pytest.approx(1)


def test_add_appends() -> None:
    one = index()
    one.add_vectors(["four"], np.array([[1, 0, 0]], dtype=np.float32), metadata=[{"a": 1}])
    assert len(one) == 4
    hits = one.search_vector(np.eye(3, dtype=np.float32)[0], k=2)
    assert [(hit.text, hit.id, hit.metadata) for hit in hits] == [
        ("one", "0", {}),
        ("four", "3", {"a": 1}),
    ]


def test_ids_are_ones_own_and_differ() -> None:
    one = Index(FINGERPRINT, dim=3)
    eye = np.eye(3, dtype=np.float32)
    one.add_vectors(["a", "b"], eye[:2], ids=["x", "y"])
    assert [document.id for document in one.documents()] == ["x", "y"]
    with pytest.raises(ValueError, match=r"ids\[0\]: the id 'y' is already in use"):
        one.add_vectors(["c"], eye[:1], ids=["y"])
    with pytest.raises(ValueError, match=r"ids\[1\]: the id 'z' is already in use"):
        one.add_vectors(["c", "d"], eye[:2], ids=["z", "z"])
    with pytest.raises(ValueError, match="2 texts need as many ids, not 1"):
        one.add_vectors(["c", "d"], eye[:2], ids=["z"])
    with pytest.raises(ValueError, match=r"metadata\[0\] is not JSON"):
        one.add_vectors(["c"], eye[:1], metadata=[{"when": object()}])
    assert len(one) == 2


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_what_is_removed_is_not_found(precision: Any) -> None:
    made, vectors = filled(6000, precision)
    made.remove(["7", "9"])
    assert len(made) == 5998
    assert 7 not in places(made.search_vector(vectors[7], k=5990))
    assert [document.id for document in made.documents(6, 9)] == ["6", "8", "10"]
    assert 7 not in places(made.search("text 7", mode="lexical", k=6000))
    with pytest.raises(KeyError, match="no document has the id '7'"):
        made.remove(["8", "7"])
    assert len(made) == 5998
    made.add_vectors(["text 7, back"], vectors[7:8], ids=["7"])
    assert made.search_vector(vectors[7], k=1)[0].text == "text 7, back"


def test_all_may_be_removed() -> None:
    one = index()
    one.remove(["0", "1", "2"])
    assert (len(one), one.documents()) == (0, [])
    assert one.search_vector(np.ones(3, np.float32)) == one.search("one", mode="lexical") == []


@pytest.mark.parametrize("precision", ["float32", "int8", "binary"])
def test_a_filter_is_exact(precision: Any) -> None:
    made, vectors = filled(6000, precision)
    hits = made.search_vector(vectors[7], k=10, filter={"even": True, "tags": ["4", "6"]})
    assert len(hits) == 10
    assert {hit.position % 10 for hit in hits} <= {4, 6}
    scores = {hit.position: hit.score for hit in made.search_vector(vectors[7], k=6000)}
    best = sorted((-scores[at], at) for at in range(6000) if at % 10 in (4, 6))[:10]
    if precision != "binary":  # whose candidates are few for so many dims
        assert len({at for _, at in best} & set(places(hits))) >= 8
    assert places(made.search_vector(vectors[7], filter=lambda one: one.id == "4321")) == [4321]
    assert made.search_vector(vectors[7], filter={"even": "no such"}) == []
    assert made.search_vector(vectors[7], filter={"no such": None}) == []
    wrong: Any = 5
    with pytest.raises(TypeError, match="filter must be a mapping or a function"):
        made.search_vector(vectors[7], filter=wrong)


def test_bm25_is_lucenes() -> None:
    made = Index(FINGERPRINT, dim=3)
    made.add_vectors(["the Cat", "the cat sat, the cat ran", "a dog"], np.eye(3, dtype=np.float32))
    hits = made.search("CAT the unknown", mode="lexical")
    assert places(hits) == [0, 1]
    idf = np.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    mean = (2 + 6 + 2) / 3
    expected = 2 * idf * 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / mean))
    assert hits[0].score == pytest.approx(expected, abs=1e-9)
    assert made.search("unknown", mode="lexical") == []


def test_accents_are_found_however_they_are_written(tmp_path: Path) -> None:
    texts = ["Das Café in München", "a car", "Das Cafe\u0301 in Mu\u0308nchen"]
    made = Index(FINGERPRINT, dim=3)
    made.add_vectors(texts, np.eye(3, dtype=np.float32))
    made.save(tmp_path)
    for index_ in (made, Index.load(tmp_path)):
        for query in ("CAFÉ", "cafe\u0301", "münchen", "mu\u0308nchen"):
            assert places(index_.search(query, mode="lexical")) == [0, 2]
        assert index_.search("cafe", mode="lexical") == []


def test_of_very_many_terms_the_rarest_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[str] = []
    read = FolderStore.read

    def watched(self: FolderStore, parts: Sequence[Part]) -> list[bytes]:
        asked_for.extend(part.file for part in parts)
        return read(self, parts)

    monkeypatch.setattr(FolderStore, "read", watched)
    frequent = [f"often{number}" for number in range(60)]
    rare = [f"rare{number}" for number in range(60)]
    texts = [*([" ".join(frequent)] * 3), *(f"{one} {frequent[0]}" for one in rare)]
    made = Index(FINGERPRINT, dim=3)
    made.add_vectors(texts, np.eye(1, 3, dtype=np.float32).repeat(len(texts), axis=0))
    made.save(tmp_path)
    loaded = Index.load(tmp_path)
    unknown = [f"unknown{number}" for number in range(100)]
    asked = " ".join([*frequent, *unknown, *rare])
    fewer = " ".join([*frequent[1:5], *rare])  # 64: of those in three texts the first
    expected = made.search(fewer, mode="lexical", k=100)
    assert len(expected) == 63
    assert made.search(asked, mode="lexical", k=100) == expected
    assert loaded.search(asked, mode="lexical", k=100) == expected
    assert sum(name.startswith("postings-") for name in asked_for) == 64
    few = " ".join(frequent)
    assert made.search(few, mode="lexical") == made.search(
        " ".join([few, *unknown]), mode="lexical"
    )
    for index_ in (made, loaded):
        index_.add_vectors([" ".join(frequent[1:3])], np.eye(1, 3, dtype=np.float32))
    fewer = " ".join([*frequent[3:7], *rare])
    assert made.search(asked, mode="lexical") == made.search(fewer, mode="lexical")
    assert loaded.search(asked, mode="lexical") == loaded.search(fewer, mode="lexical")


def test_hybrid_finds_what_either_finds() -> None:
    made, vectors = filled(300, "float32")
    embedder: Any = SimpleNamespace(fingerprint=FINGERPRINT, encode_query=lambda _: vectors[7:8])
    assert places(made.search("42", embedder, mode="hybrid", k=2)) == [7, 42]  # a tie
    both = made.search("text 7", embedder, mode="hybrid", k=1)[0]
    assert (both.position, round(both.score, 9)) == (7, round(2 / 61, 9))
    hits = made.search("text", embedder, mode="hybrid", filter={"tags": "7"})
    assert {at % 10 for at in places(hits)} == {7}


def test_what_a_mode_needs_is_told() -> None:
    one = index(lexical=False)
    with pytest.raises(ValueError, match="this index has none; build it with lexical=True"):
        one.search("one", mode="lexical")
    vector = np.ones(3, np.float32)
    query: Any = vector
    with pytest.raises(TypeError, match="must be a str, not ndarray; for a vector use search_vect"):
        index().search(query)
    wrong: Any = "words"
    with pytest.raises(ValueError, match="unknown mode 'words'"):
        index().search("one", mode=wrong)
    with pytest.raises(ValueError, match="unknown precision 'int4'"):
        index(precision="int4")


def test_a_bare_string_is_not_a_list_of_characters() -> None:
    embedder: Any = SimpleNamespace()
    with pytest.raises(TypeError, match="not one str"):
        Index.build("What is?", embedder)


def test_a_foreign_embedder_is_refused_by_field() -> None:
    foreign: Any = SimpleNamespace(
        fingerprint={"model": "some/model", "pooling": "cls"}, encode_document=None
    )
    message = r"pooling \(index: mean, embedder: cls\)"
    with pytest.raises(IndexMismatchError, match=message) as err:
        index().search("one", foreign)
    assert "model (" not in str(err.value)
    with pytest.raises(IndexMismatchError, match=message):
        index().add(["a"], foreign)


def test_a_text_needs_an_embedder() -> None:
    with pytest.raises(TypeError, match="needs the embedder"):
        index().search("one")


def test_what_does_not_fit_is_not_added() -> None:
    one: Any = index()
    eye = np.eye(3, dtype=np.float32)
    for texts, vectors in ((["four"], eye[:2]), (["four"], eye[0]), (["four"], eye[:1, :2])):
        with pytest.raises(ValueError, match=r"1 texts need vectors \[1, 3\], not of shape"):
            one.add_vectors(texts, vectors)
    with pytest.raises(TypeError, match="not one str"):
        one.add_vectors("four", eye[:1])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"vectors\[1\] is not finite"):
            one.add_vectors(["four", "five"], np.array([[1, 0, 0], [0, bad, 0]]))
    for length in (5.58, 0.9, 1e-4, 1e30):
        with pytest.raises(ValueError, match=r"vectors\[1\] has the length .*normalize"):
            one.add_vectors(["four", "five"], np.array([[1, 0, 0], [0, length, 0]]))
    assert len(one) == len(one.search_vector(eye[0])) == 3
    one.add_vectors(
        ["a float16 would be"], normalize(np.ones((1, 3), np.float32)).astype(np.float16)
    )
    one.remove(["3"])
    one.add_vectors(("four",), eye[:1].astype(np.float64))
    assert len(one) == 4


def test_a_query_is_one_finite_vector() -> None:
    eye = np.eye(3, dtype=np.float32)
    assert index().search_vector(eye[:1], k=1)[0].text == "one"  # as `encode_query` gives it
    with pytest.raises(
        ValueError, match=r"must be one vector \[3\], not an array of shape \(3, 3\)"
    ):
        index().search_vector(eye)
    with pytest.raises(ValueError, match="not finite"):
        index().search_vector(np.full(3, np.nan, np.float32))
    with pytest.raises(ValueError, match="the query has 2 dims and the index 3"):
        index().search_vector(np.zeros(2, np.float32))


def test_the_precision_goes_by_size() -> None:
    embedder: Any = SimpleNamespace(
        fingerprint=FINGERPRINT,
        info=SimpleNamespace(dim=3),
        encode_document=lambda texts, **_: normalize(np.ones((len(texts), 3), np.float32)),
    )
    assert Index.build(["a"] * 5000, embedder).precision == "float32"
    assert Index.build(["a"] * 5001, embedder).precision == "int8"
    assert Index.build(["a"], embedder, precision="binary").precision == "binary"
