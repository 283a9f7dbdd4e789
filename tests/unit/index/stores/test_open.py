"""The location of an index decides how its files are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexes import small_index
from twinvec.index.stores.folder import FolderStore
from twinvec.index.stores.open import open_store
from twinvec.index.stores.url import UrlStore
from twinvec.index.stores.zip import ZipStore


def test_a_folder_may_be_a_path_or_a_string(tmp_path: Path) -> None:
    assert type(open_store(tmp_path, None)) is FolderStore
    assert type(open_store(str(tmp_path), None)) is FolderStore


@pytest.mark.parametrize("name", ["notes.zip", "NOTES.ZIP"])
def test_a_zip_file_is_an_archive(tmp_path: Path, name: str) -> None:
    small_index().save(tmp_path / name)
    assert type(open_store(tmp_path / name, None)) is ZipStore


@pytest.mark.parametrize("url", ["http://localhost/index", "https://localhost/index/"])
def test_an_address_is_a_url(url: str) -> None:
    assert type(open_store(url, None)) is UrlStore


def test_only_a_browser_has_stored_indexes() -> None:
    assert type(open_store("stored:notes", None)) is FolderStore
