from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo import index
from demo.index import index_stdlib
from synthetic import write_tiny
from twinvec import Embedder, Index, IndexFormatError
from twinvec.convert.folder import convert_folder
from twinvec.index import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    folder = tmp_path_factory.mktemp("model")
    model = convert_folder(write_tiny(folder / "source"), folder / "made")
    opened = Embedder.from_pretrained(model)
    yield opened
    opened.close()


def test_each_corpus_is_embedded_once(
    tmp_path: Path, tiny: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINVEC_CACHE", str(tmp_path / "cache"))
    corpus = [Document("a", "one text", {}), Document("b", "another", {})]
    monkeypatch.setattr(index, "stdlib_passages", lambda _: iter(corpus))
    embedded = [index_stdlib(tmp_path / name, tiny) for name in ("first", "first", "second")]
    assert embedded == [2, 0, 0]
    for name in ("first", "second"):
        assert [document.id for document in Index.load(tmp_path / name).documents()] == ["a", "b"]


@pytest.mark.parametrize("name", ["index.json", "page.html"])
def test_a_folder_of_another_program_is_left_alone(
    tmp_path: Path, tiny: Embedder, name: str
) -> None:
    (tmp_path / name).write_text("[]", encoding="utf-8")
    with pytest.raises(IndexFormatError):
        index_stdlib(tmp_path, tiny)
    assert [file.name for file in tmp_path.iterdir()] == [name]
