"""Fixtures: a model that embeds hundreds of texts at once, and a folder of documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthetic import write_tiny
from twinvec.convert.folder import convert_folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny model, in two dtypes whose vectors differ."""
    folder = tmp_path_factory.mktemp("model")
    return str(convert_folder(write_tiny(folder / "source"), folder / "tiny", ["fp32", "w8a8"]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; its folder `docs` has twelve passages."""
    monkeypatch.chdir(tmp_path)
    docs = tmp_path / "docs"
    (docs / "drinks").mkdir(parents=True)
    article = "<h1 id=tea>Tea</h1><p>Leaves of a bush, in hot water.</p>"
    page = f"<title>Tea</title><main>{article}</main>"
    (docs / "drinks" / "tea.html").write_text(page, encoding="utf-8")
    animals = "\n\n".join(f"## Animal {n}\n\nThe panda eats bamboo, {n} times." for n in "abcdef")
    (docs / "animals.md").write_text(f"# Animals\n\n{animals}\n", encoding="utf-8")
    rows = [{"text": f"Invoice {n}: steel pipes"} for n in range(5)]
    (docs / "invoices.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path
