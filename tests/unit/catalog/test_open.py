"""A model opens on either runtime; arguments that have no effect in the browser are errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_page import JsModel, fake_page
from synthetic import write_tiny
from twinvec import Embedder, ModelNotFoundError
from twinvec.catalog.open import find_dtype, open_model
from twinvec.convert.folder import convert_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("open")
    return convert_folder(write_tiny(root / "source"), root / "tiny", ["fp32", "w8"])


@pytest.fixture
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_page(monkeypatch, JsModel(folder)):
        yield


def test_a_folder_opens_on_cpython(folder: Path) -> None:
    info, core, session = open_model(folder, dtype="w8")
    assert (info.name, list(info.weights)) == ("tiny", ["w8"])
    assert len(core.encode("word1 word2")) == 2
    session.close()


@pytest.mark.usefixtures("page")
def test_a_loaded_model_opens_in_the_browser() -> None:
    info, _, session = open_model(None, dtype="fp32")
    assert info.name == "tiny"
    assert type(session).__name__ == "PyodideSession"


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    "option", [{"revision": "main"}, {"local_files_only": True}, {"cache_dir": "cache"}]
)
def test_the_browser_refuses_options_of_downloads(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} cannot be set in the browser"):
        Embedder.from_pretrained(**option)


def test_the_weights_of_a_fingerprint_are_found(folder: Path) -> None:
    embedder = Embedder.from_pretrained(folder, dtype="w8")
    dtype = find_dtype(embedder.fingerprint, str(folder))
    reopened = Embedder.from_fingerprint(embedder.fingerprint, str(folder))
    assert reopened.fingerprint == embedder.fingerprint
    assert reopened.dtype == dtype
    for opened in (embedder, reopened):
        opened.close()


@pytest.mark.usefixtures("page")
def test_the_browser_does_not_search_for_a_fingerprint() -> None:
    facts = {"revision": None, "weights_sha256": "0" * 64, "max_length": 8, "dim": 32}
    with pytest.raises(ModelNotFoundError, match="open the model that the page has loaded"):
        Embedder.from_fingerprint({"model": "tiny", **facts})
