"""Requests of a page, over a fake page; the browser tests send them from a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import finish
from fake_page import JsModel, JsValue, fake_page
from synthetic import write_tiny
from twinvec import Embedder, quantize_embeddings
from twinvec.convert.folder import convert_folder

TEXTS = ["word1 word2", "word3"]
OPTIONS: dict[str, Any] = {
    "dtype": "fp32",
    "max_length": None,
    "truncate_dim": None,
    "self_check": True,
}
EMBED: dict[str, Any] = {
    "texts": TEXTS,
    "prompt": "",
    "pooling": "mean",
    "normalize": True,
    "precision": "float32",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("endpoint")
    return convert_folder(write_tiny(root / "source"), root / "tiny")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Iterator[Embedder]:
    opened = Embedder.from_pretrained(folder)
    yield opened
    opened.close()


class Page:
    """Sends requests to Python as `web/workers/python.js` does."""

    def __init__(self) -> None:
        from twinvec.page.endpoint import open_endpoint

        self._call: Any = open_endpoint()
        self.progress: list[tuple[int, int]] = []

    def answer(self, method: str, params: dict[str, Any], *, progress: bool = False) -> Any:
        report = (lambda *counts: self.progress.append(counts)) if progress else None
        return finish(self._call(method, JsValue(params), report))

    def ask(self, method: str, *, progress: bool = False, **params: Any) -> Any:
        answer = self.answer(method, params, progress=progress)
        assert "error" not in answer, answer
        return answer["value"]


@contextmanager
def opened_page(monkeypatch: pytest.MonkeyPatch, folder: Path, **options: Any) -> Iterator[Page]:
    with fake_page(monkeypatch, JsModel(folder)):
        page = Page()
        page.ask("open", **{**OPTIONS, **options})
        yield page


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    with opened_page(monkeypatch, folder) as page:
        yield page


def test_opening_describes_and_checks_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, embedder: Embedder
) -> None:
    with fake_page(monkeypatch, JsModel(folder)):
        facts = Page().ask("open", **OPTIONS)
        assert (facts["model"], facts["dtype"], facts["parity"]) == ("tiny", "fp32", "exact")
        assert facts["fingerprint"] == embedder.fingerprint
        assert 0 <= facts["deviation"] <= 1e-6
        assert Page().ask("open", **{**OPTIONS, "self_check": False})["deviation"] is None
        limited = Page().ask("open", **{**OPTIONS, "max_length": 1, "truncate_dim": 8})
        assert limited["deviation"] == facts["deviation"]  # without the limits
        assert (limited["fingerprint"]["max_length"], limited["fingerprint"]["dim"]) == (1, 8)


def test_vectors_are_those_of_the_embedder(opened: Page, embedder: Embedder) -> None:
    embeddings = opened.ask("embed", progress=True, **EMBED)
    assert embeddings["dims"] == (2, 32)
    assert np.array_equal(embeddings["data"].reshape(2, 32), embedder.encode(TEXTS, pooling="mean"))
    assert opened.progress == [(1, 2), (2, 2)]
    assert opened.ask("count_tokens", texts=TEXTS) == embedder.count_tokens(TEXTS)
    answer = opened.ask("token_ids", texts=TEXTS)
    native = embedder.pipeline.token_ids(TEXTS)
    assert answer["ids"].tolist() == np.concatenate(native).tolist()
    assert answer["ids"].dtype == np.int32
    assert answer["lengths"].tolist() == list(map(len, native))
    assert opened.ask("token_ids", texts=[])["ids"].size == 0


def test_token_vectors_are_padded_with_zeros(opened: Page, embedder: Embedder) -> None:
    embeddings = opened.ask("embed", progress=True, **{**EMBED, "pooling": "none"})
    first, second = embedder.encode_tokens(TEXTS)
    assert embeddings["dims"] == (2, len(first), 32)
    padded = embeddings["data"].reshape(embeddings["dims"])
    assert np.array_equal(padded[0], first)
    assert np.array_equal(padded[1, : len(second)], second)
    assert not padded[1, len(second) :].any()
    nothing = opened.ask("embed", progress=True, **{**EMBED, "pooling": "none", "texts": []})
    assert nothing["dims"] == (0, 0, 32)


def test_vectors_are_quantized(opened: Page, embedder: Embedder) -> None:
    embeddings = opened.ask("embed", progress=True, **{**EMBED, "precision": "ubinary"})
    expected = quantize_embeddings(embedder.encode(TEXTS, pooling="mean"), "ubinary")
    assert np.array_equal(embeddings["data"], expected.ravel())


def test_an_index_is_filled_searched_and_emptied(opened: Page, embedder: Embedder) -> None:
    created = opened.ask("create_index")
    handle = created["handle"]
    assert (created["size"], created["lexical"]) == (0, True)
    added = opened.ask(
        "add", progress=True, handle=handle, texts=TEXTS, ids=["a", "b"], metadata=None
    )
    assert added == {"truncated": 0, "size": 2}
    documents = opened.ask("documents", handle=handle, start=0, stop=None)
    assert [document["id"] for document in documents] == ["a", "b"]

    search = {"handle": handle, "k": 1, "filter": None}
    (hit,) = opened.ask("search", query="word3", mode="semantic", **search)
    assert (hit["id"], hit["text"]) == ("b", "word3")
    vector = embedder.encode_query("word3")[0]
    assert opened.ask("search_vector", vector=vector, **search) == [hit]

    assert opened.ask("remove", handle=handle, ids=["b"]) == {"size": 1}
    opened.ask("close_index", handle=handle)
    assert opened.answer("documents", {"handle": handle, "start": 0, "stop": None})["error"]


def test_truncated_documents_are_counted_and_queries_are_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_page(monkeypatch, folder, max_length=3) as page:
        handle = page.ask("create_index")["handle"]
        search = {"handle": handle, "k": 1, "filter": None, "mode": "semantic"}
        texts = {"handle": handle, "texts": ["word1", "word1 word2 word3 word4"]}
        for expected in (1, 2):
            page.ask("search", query="word1 word2 word3 word4", **search)
            added = page.ask("add", progress=True, ids=None, metadata=None, **texts)
            assert added["truncated"] == expected


def test_an_archive_is_saved_and_deleted_with_its_index(opened: Page, tmp_path: Path) -> None:
    handle = opened.ask("create_index")["handle"]
    opened.ask("add", progress=True, handle=handle, texts=TEXTS, ids=None, metadata=None)
    archive = tmp_path / "index.zip"
    opened.ask("save", handle=handle, location=str(archive))
    imported = opened.ask("import_index", progress=True, location=str(archive))
    assert imported["size"] == 2
    assert archive.is_file()
    opened.ask("close_index", handle=imported["handle"])
    assert not archive.exists()


def test_sections_become_documents(opened: Page) -> None:
    section = {"paragraphs": ["word1 word2"], "headings": ["Title"]}
    (document,) = opened.ask("passages", source="notes.txt", sections=[section])
    assert document["text"] == "Title\nword1 word2"


def test_errors_are_data(opened: Page) -> None:
    answer = opened.answer("embed", {**EMBED, "pooling": "max"}, progress=True)
    error = answer["error"]
    assert error["name"] == "ValueError"
    assert error["message"].startswith("unknown pooling 'max'")
    assert "Traceback" in error["stack"]
