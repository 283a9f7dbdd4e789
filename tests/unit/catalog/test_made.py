"""Folders in the cache keep their names, or every user would convert again."""

from __future__ import annotations

from pathlib import Path

from synthetic import write_tiny
from twinvec.catalog.made import is_complete, made_folder, make_folder


def test_names_are_those_of_earlier_versions() -> None:
    cache = Path("cache")
    assert made_folder("a/b", "c0ffee", "fp32", cache) == cache / "models/a/b/c0ffee-graph2"
    assert made_folder("a/b", "c0ffee", "w8a8", cache) == cache / "models/a/b/c0ffee-graph2-w8a8"


def test_weights_are_made_in_their_folder(tmp_path: Path) -> None:
    full = write_tiny(tmp_path / "source")
    folder = make_folder(full, "a/b", "c0ffee", "w16", tmp_path / "cache")
    assert folder == made_folder("a/b", "c0ffee", "w16", tmp_path / "cache")
    assert [file.name for file in (folder / "onnx").iterdir()] == ["model_w16.onnx"]


def test_a_folder_is_complete_with_all_that_it_records(tmp_path: Path) -> None:
    full = write_tiny(tmp_path / "source")
    folder = make_folder(full, "a/b", "c0ffee", "w16", tmp_path / "cache")
    assert is_complete(folder, ["onnx/model_w16.onnx"])
    assert not is_complete(folder, ["onnx/model.onnx"])
    record = folder / "SHA256SUMS"
    for damaged in ("", "<html>", record.read_text(encoding="utf-8") + f"{'0' * 64}  absent\n"):
        record.write_text(damaged, encoding="utf-8")
        assert not is_complete(folder, ["onnx/model_w16.onnx"])
