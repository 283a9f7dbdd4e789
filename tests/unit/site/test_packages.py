"""Pinned files of other projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinvec import IntegrityError, TwinvecError
from twinvec.site.build import WEB
from twinvec.site.packages import RUNTIME_FILES, find_npm_file

if TYPE_CHECKING:
    from pathlib import Path

FILE = RUNTIME_FILES["pyodide/pyodide.mjs"]


@pytest.mark.parametrize("altered", [True, False])
def test_npm_files_are_verified(tmp_path: Path, *, altered: bool) -> None:
    if altered:
        file = tmp_path / "node_modules" / FILE.path
        file.parent.mkdir(parents=True)
        file.write_bytes((WEB / "node_modules" / FILE.path).read_bytes() + b" ")
    kind = IntegrityError if altered else TwinvecError
    with pytest.raises(kind, match=r"pyodide\.mjs.*npm ci"):
        find_npm_file(FILE, tmp_path)


def test_every_pinned_file_is_the_installed_one() -> None:
    for file in RUNTIME_FILES.values():
        assert find_npm_file(file, WEB).is_file()
