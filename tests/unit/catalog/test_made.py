"""Folders in the cache keep their names, or every user would convert again."""

from __future__ import annotations

from pathlib import Path

from synthetic import write_tiny
from twinvec.catalog.made import made_folder, make_folder


def test_names_are_those_of_earlier_versions() -> None:
    cache = Path("cache")
    assert made_folder("a/b", "c0ffee", "fp32", cache) == cache / "models/a/b/c0ffee-graph2"
    assert made_folder("a/b", "c0ffee", "w8a8", cache) == cache / "models/a/b/c0ffee-graph2-w8a8"


def test_weights_are_made_in_their_folder(tmp_path: Path) -> None:
    full = write_tiny(tmp_path / "source")
    folder = make_folder(full, "a/b", "c0ffee", "w16", tmp_path / "cache")
    assert folder == made_folder("a/b", "c0ffee", "w16", tmp_path / "cache")
    assert [file.name for file in (folder / "onnx").iterdir()] == ["model_w16.onnx"]
