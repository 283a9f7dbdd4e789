"""Wrong arguments of public functions: each raises an error of its kind that names the argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthetic import write_tiny
from twinvec import (
    Embedder,
    Index,
    IndexWriter,
    TwinvecError,
    cos_sim,
    dot,
    normalize,
    quantize_embeddings,
    semantic_search,
)
from twinvec.convert.folder import convert_folder
from twinvec.index import Document

DIM = 32
TEXTS = ["word1", "word2"]
EYE: Any = np.eye(2, DIM, dtype=np.float32)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    return convert_folder(write_tiny(folder / "source"), folder / "tiny", ["fp32"])


@pytest.fixture(scope="module")
def embedder(tiny: Path) -> Iterator[Embedder]:
    opened = Embedder.from_pretrained(tiny)
    yield opened
    opened.close()


@dataclass
class Subject:
    """An embedder, its model's folder, and a folder for an index."""

    embedder: Embedder
    model: Path
    folder: Path

    def index(self) -> Index:
        return Index.build(TEXTS, self.embedder, metadata=[{"1": "a"}, {"tags": ["b"]}])

    def write(self, documents: Any, vectors: Any = EYE[:1]) -> None:
        """Add documents, and discard them."""
        fingerprint = self.embedder.fingerprint
        with IndexWriter(self.folder, fingerprint, precision="float32", dim=DIM) as writer:
            writer.add(documents, vectors)
            raise AssertionError("they were accepted")


@pytest.fixture
def subject(embedder: Embedder, tiny: Path, tmp_path: Path) -> Subject:
    return Subject(embedder, tiny, tmp_path / "index")


Call = Callable[[Subject, Any], object]


CALLS: dict[str, Call] = {
    "texts": lambda s, x: s.embedder.encode(x),
    "prompt": lambda s, x: s.embedder.encode(TEXTS, prompt=x),
    "pooling": lambda s, x: s.embedder.encode(TEXTS, pooling=x),
    "max_length": lambda s, x: Embedder.from_pretrained(s.model, max_length=x),
    "truncate_dim": lambda s, x: Embedder.from_pretrained(s.model, truncate_dim=x),
    "dtype": lambda s, x: Embedder.from_pretrained(s.model, dtype=x),
    "fingerprint": lambda _, x: Embedder.from_fingerprint(x),
    "dim": lambda _, x: Index({}, dim=x),
    "dim of a writer": lambda s, x: IndexWriter(s.folder, {}, precision="float32", dim=x),
    "precision": lambda _, x: Index({}, dim=DIM, precision=x),
    "ids": lambda s, x: Index.build(TEXTS, s.embedder, ids=x),
    "metadata": lambda s, x: Index.build(TEXTS, s.embedder, metadata=x),
    "embedder": lambda _, x: Index.build(TEXTS, x),
    "embedder of a search": lambda s, x: s.index().search("word1", x),
    "vectors": lambda s, x: s.index().add_vectors(TEXTS, x),
    "unwanted": lambda s, x: s.index().remove(x),
    "documents": lambda s, x: s.write(x),
    "metadata of a document": lambda s, x: s.write([Document("a", "a", x)]),
    "id of a document": lambda s, x: s.write([Document(x, "a")]),
    "text of a document": lambda s, x: s.write([Document("a", x)]),
    "vectors of documents": lambda s, x: s.write([Document("a", "a")], x),
    "query": lambda s, x: s.index().search(x, s.embedder),
    "k": lambda s, x: s.index().search("word1", s.embedder, k=x),
    "k of both": lambda s, x: s.index().search("word1", s.embedder, k=x, mode="hybrid"),
    "mode": lambda s, x: s.index().search("word1", s.embedder, mode=x),
    "filter": lambda s, x: s.index().search("word1", s.embedder, filter=x),
    "vector": lambda s, x: s.index().search_vector(x),
    "a": lambda _, x: cos_sim(x, EYE),
    "b": lambda _, x: dot(EYE, x),
    "top_k": lambda _, x: semantic_search(EYE, EYE, top_k=x),
    "quantized": lambda _, x: quantize_embeddings(x, "ubinary"),
    "ranges": lambda _, x: quantize_embeddings(EYE, "int8", x),
}

NESTED: Any = []
for _ in range(5000):
    NESTED = [NESTED]

CASES: list[tuple[str, Any, str]] = [
    ("texts", [*TEXTS, 5], r"texts\[2\] must be a str, not int"),
    ("texts", "word1", "texts must be a list of strings"),
    ("prompt", 5, "prompt must be a str"),
    ("max_length", True, "max_length must be a whole number, not bool"),
    ("max_length", 2.5, "max_length must be a whole number, not float"),
    ("truncate_dim", 10**30, "truncate_dim must be between"),
    ("fingerprint", {}, "the fingerprint lacks dim, max_length, model"),
    ("dim", "3", "dim must be a whole number, not str"),
    ("dim of a writer", 0, "dim must be at least 1, not 0"),
    ("ids", ["a", 5], r"ids\[1\] must be a str, not int"),
    ("ids", "ab", "ids must be a list of strings, not one str"),
    ("ids", iter("ab"), "ids must be a list, not str"),
    ("metadata", [{}, 5], r"metadata\[1\] must be a mapping, not int"),
    (
        "metadata",
        [{}, {1: "a", "1": "b"}],
        r"metadata\[1\] is not JSON \(the key 1 is not a string\)",
    ),
    ("metadata", [{"a": [{"b": {2: 3}}]}, {}], r"metadata\[0\] .*the key 2 is not a string"),
    ("metadata", [{True: 1}, {}], r"metadata\[0\] .*the key True is not a string"),
    ("metadata", [{"a": NESTED}, {}], r"metadata\[0\] is not JSON"),
    ("metadata", [{"a": float("nan")}, {}], r"metadata\[0\] is not JSON"),
    ("embedder", "bge", "embedder must be an Embedder, not str"),
    ("embedder of a search", EYE, "embedder must be an Embedder, not ndarray"),
    ("vectors", ["a", "b"], "vectors must be an array of numbers"),
    ("vectors", EYE * 2, r"vectors\[0\] has the length 2"),
    ("vectors", EYE * np.nan, r"vectors\[0\] is not finite"),
    ("unwanted", "word1", "ids must be a list of strings"),
    ("unwanted", [5], r"ids\[0\] must be a str"),
    ("documents", ["a"], r"documents\[0\]: its id must be a str"),
    ("metadata of a document", {1: 2}, r"documents\[0\]: .*the key 1 is not a string"),
    ("metadata of a document", [], r"documents\[0\]: its metadata must be a dict, not list"),
    ("id of a document", 5, r"documents\[0\]: its id must be a str, not int"),
    ("text of a document", None, r"documents\[0\]: its text must be a str, not NoneType"),
    ("query", EYE[0], "the query must be a str, not ndarray"),
    ("k", True, "k must be a whole number, not bool"),
    ("k", 2.0, "k must be a whole number, not float"),
    ("k", "2", "k must be a whole number, not str"),
    ("k of both", 0, "k must be at least 1"),
    ("filter", {1: "a"}, "the keys of filter must be strings, not 1"),
    ("filter", 5, "filter must be a mapping or a function"),
    ("vector", None, "the query must be a vector, not None"),
    ("vector", [10**400] * DIM, "the query must be an array of numbers"),
    ("vector", [1e200] * DIM, "not finite in float32"),
    ("vector", EYE, "the query must be one vector"),
    ("a", np.zeros((1, 2, DIM)), r"a must be vectors \[n, dim\]"),
    ("a", [[np.nan] * DIM], r"a\[0\] and b\[0\] have no finite dot product"),
    ("b", [[1.0] * DIM, [np.inf] * DIM], r"a\[0\] and b\[1\] have no finite dot product"),
    ("b", "a", "b must be an array of numbers"),
    ("top_k", 2.5, "top_k must be a whole number"),
    ("quantized", [[np.nan] * DIM], r"vectors\[0\] is not finite"),
    ("ranges", [[np.nan] * DIM] * 2, r"ranges\[0\] is not finite"),
]
OTHERS: list[Any] = [
    *(None, 5, -1, 2.5, True, "abc", b"x", [5], {}, object(), float("nan"), [None], 10**400),
    *(np.array(["a"]), [[1, 2], [3]], [1e200] * DIM, ["a", 5], 1j, [1j] * DIM, set(), print),
    *(np.zeros((2, DIM, 1)), np.zeros((0, DIM)), [{1: 2}], [{}, 5], {1: 2}, range(3), "\ud800"),
]


@pytest.mark.parametrize(("argument", "value", "problem"), CASES)
def test_the_message_names_the_argument(
    subject: Subject, argument: str, value: Any, problem: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        CALLS[argument](subject, value)


@pytest.mark.parametrize("argument", CALLS)
def test_nothing_else_is_raised(subject: Subject, argument: str) -> None:
    absent = (KeyError,) if argument == "unwanted" else ()
    for value in OTHERS:
        try:
            CALLS[argument](subject, value)
        except (TwinvecError, TypeError, ValueError, *absent):
            pass
        except AssertionError as err:
            assert str(err) == "they were accepted"  # noqa: PT017


@pytest.mark.parametrize("size", [1e20, 1e-20])
def test_a_vector_of_any_length_finds_the_same(subject: Subject, size: float) -> None:
    index = subject.index()
    vector = subject.embedder.encode_query("word2")[0]
    hits = index.search_vector(vector)
    found = index.search_vector(vector.astype(np.float64) * size)
    assert [hit.id for hit in found] == [hit.id for hit in hits]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in hits], abs=2e-7)
    assert cos_sim(vector * np.float32(size), vector) == pytest.approx(1, abs=2e-7)
    assert normalize(np.full(DIM, size, np.float32)) == pytest.approx(DIM**-0.5)
