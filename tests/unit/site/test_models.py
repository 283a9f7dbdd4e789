"""The model files of a site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthetic import write_tiny
from twinvec.convert.folder import convert_folder
from twinvec.model.info import ModelInfo
from twinvec.site.models import find_models, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return convert_folder(write_tiny(folder / "source"), folder / "made", ["fp32", "w8", "q8"])


def test_a_stand_in_stands_in_for_every_dtype(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first is found, or not, the others must not come from another model."""
    names = []

    def find_model(name: str | Path | None, *, dtype: str) -> tuple[Path, ModelInfo]:
        names.append(name)
        return model, ModelInfo.from_folder(model, dtype)

    monkeypatch.setattr("twinvec.site.models.find_model", find_model)
    assert list(find_models(None, ["fp32", "w8", "q8"])) == ["fp32", "w8", "q8"]
    assert names == [None, model.name, model.name]


def test_the_manifest_lists_the_files_of_every_dtype(model: Path, tmp_path: Path) -> None:
    files = set(write_model(tmp_path, find_models(model, ["w8", "fp32"])))
    manifest = json.loads((tmp_path / "models" / "manifest.json").read_text(encoding="utf-8"))
    (block,) = manifest["models"]
    assert list(block["weights"]) == ["w8", "fp32"]
    assert list(block["probes"]) == ["w8", "fp32"]
    folder = tmp_path / "models" / block["name"]
    assert files == {folder.parent / "manifest.json", *(folder / path for path in block["files"])}
    assert all(file.is_file() for file in files)
