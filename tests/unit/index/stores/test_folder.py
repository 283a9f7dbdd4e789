"""An index in a folder: every damaged file is an error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexes import DAMAGE, KINDS, shard_of, small_index, use_all
from twinvec import Index, IndexFormatError


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, damage: str) -> None:
    small_index("int8").save(tmp_path)
    file = shard_of(tmp_path, kind)
    spoil, error = DAMAGE[damage]
    spoil(file)
    with pytest.raises(error, match=file.name):
        use_all(tmp_path)


def test_a_folder_without_an_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IndexFormatError, match="Check that an index was saved to this folder"):
        Index.load(tmp_path)
