"""Fixtures: the site of a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic import write_tiny
from twinvec.convert.folder import convert_folder
from twinvec.site.build import build_site


@pytest.fixture(scope="session")
def tiny_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a tiny model, whose words are `word1` to `word49`."""
    folder = tmp_path_factory.mktemp("tiny")
    model = convert_folder(write_tiny(folder / "source"), folder / "tiny", ["fp32", "w8"])
    build_site(folder / "site", model, dtypes=["fp32", "w8"])[0].close()
    return folder / "site"
