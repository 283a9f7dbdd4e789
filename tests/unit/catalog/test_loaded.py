"""Models of a page are opened by name and dtype."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_page import JsModel, fake_page
from synthetic import write_tiny
from twinvec import ModelNotFoundError
from twinvec.convert.folder import convert_folder


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = convert_folder(write_tiny(tmp_path / "source"), tmp_path / "tiny", ["fp32", "w8"])
    with fake_page(monkeypatch, JsModel(folder, "w8"), JsModel(folder, "fp32")):
        yield


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("model", [None, "tiny"])
@pytest.mark.parametrize("dtype", ["w8", "fp32"])
def test_a_model_of_the_page_is_opened(model: str | None, dtype: str) -> None:
    from twinvec.catalog.loaded import loaded_model

    info, core, session = loaded_model(model, dtype)
    assert (info.name, list(info.weights)) == ("tiny", [dtype])
    assert len(core.encode("word1 word2")) == 2
    assert "input_ids" in session.input_names


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(("model", "dtype"), [("other", "fp32"), ("tiny", "q8"), (None, "q8")])
def test_others_are_not_found(model: str | None, dtype: str) -> None:
    from twinvec.catalog.loaded import loaded_model

    with pytest.raises(ModelNotFoundError) as raised:
        loaded_model(model, dtype)
    assert f"{model or 'tiny'} ({dtype}) is not loaded in this page" in str(raised.value)
    assert "which has tiny (w8), tiny (fp32)" in str(raised.value)


@pytest.mark.usefixtures("page")
def test_an_unknown_dtype_is_an_error_of_its_own() -> None:
    from twinvec.catalog.loaded import loaded_model

    with pytest.raises(ValueError, match="unknown dtype 'q3'"):
        loaded_model(None, "q3")


def test_a_page_without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_page(monkeypatch):
        from twinvec.catalog.loaded import loaded_model

        with pytest.raises(ModelNotFoundError, match="which has no model"):
            loaded_model(None, "fp32")
