from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from conftest import DIST
from twinvec import IntegrityError, TwinvecError
from twinvec.site import WEB, build_site


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "models" / "mine" / "weights.bin"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"precious")
    with pytest.raises(TwinvecError, match="models is there and not twinvec's"):
        build_site(tmp_path)
    assert theirs.read_bytes() == b"precious"


def test_without_the_browser_side_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TwinvecError, match=r"python build\.py"):
        build_site(tmp_path / "out", web=tmp_path / "nothing")


@pytest.mark.parametrize("altered", [True, False])
def test_npm_files_are_verified(tmp_path: Path, *, altered: bool) -> None:
    web, name = tmp_path / "web", "node_modules/pyodide/pyodide.mjs"
    if altered:
        (web / name).parent.mkdir(parents=True)
        (web / name).write_bytes((WEB / name).read_bytes() + b" ")
    web.mkdir(exist_ok=True)
    kind = IntegrityError if altered else TwinvecError
    with pytest.raises(kind, match=r"pyodide\.mjs.*npm ci"):
        build_site(tmp_path / "out", "sentence-transformers/all-MiniLM-L6-v2", web=web)
    assert not (tmp_path / "out/runtime/pyodide/pyodide.mjs").exists()


def test_the_package_in_dist_is_this_one() -> None:
    """Byte for byte, so that what was tested in the browser is what is here."""
    package = WEB.parent / "py"
    with zipfile.ZipFile(DIST / "runtime" / "twinvec.zip") as archive:
        packed = {name: hashlib.sha256(archive.read(name)).digest() for name in archive.namelist()}
    sources = {
        file.relative_to(package).as_posix(): hashlib.sha256(file.read_bytes()).digest()
        for file in package.rglob("*.py")
    }
    assert packed == sources
