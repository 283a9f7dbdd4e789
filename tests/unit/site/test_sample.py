from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synthetic import write_tiny
from twinvec import Embedder, Index, IndexMismatchError
from twinvec.convert.folder import convert_folder
from twinvec.site.sample import SAMPLE_TEXTS, load_own_index, write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(folder / "source"), folder / "made")


@pytest.fixture(scope="module")
def embedder(model: Path) -> Iterator[Embedder]:
    opened = Embedder.from_pretrained(model)
    yield opened
    opened.close()


def test_the_sample_is_nobodys_own_index(tmp_path: Path, embedder: Embedder) -> None:
    assert load_own_index(tmp_path / "none", embedder) is None
    assert len(write_sample(tmp_path / "sample", embedder)) == len(SAMPLE_TEXTS)
    assert load_own_index(tmp_path / "sample", embedder) is None


def test_an_own_index_may_be_empty(tmp_path: Path, embedder: Embedder) -> None:
    Index.build([], embedder).save(tmp_path)
    index = load_own_index(tmp_path, embedder)
    assert index is not None
    assert len(index) == 0


def test_an_own_index_must_fit_the_model(tmp_path: Path, model: Path, embedder: Embedder) -> None:
    shorter = Embedder.from_pretrained(model, max_length=8)
    Index.build(["a text"], shorter).save(tmp_path)
    shorter.close()
    with pytest.raises(IndexMismatchError, match="max_length"):
        load_own_index(tmp_path, embedder)
