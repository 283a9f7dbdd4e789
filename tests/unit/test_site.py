from __future__ import annotations

import _imp
import zipfile
from pathlib import Path

import pytest

from conftest import DIST
from twinvec import IntegrityError, TwinvecError
from twinvec.bytecode import twinvec_sources
from twinvec.precompress import brotli_of
from twinvec.site import WEB, build_site, sizes


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
    """By the hash of its source : what the browser tests test is what is here."""
    with zipfile.ZipFile(DIST / "runtime" / "twinvec.zip") as archive:
        packed = {name: archive.read(name)[:16] for name in archive.namelist()}
    sources = twinvec_sources()
    assert set(packed) == {f"{name}c" for name in sources}
    for name, source in sources.items():
        header = packed[f"{name}c"]
        magic = int.from_bytes(header[:4], "little")
        assert header[4:8] == b"\1\0\0\0", name  # hash-based, unchecked
        assert header[8:] == _imp.source_hash(magic, source), name


def test_what_is_large_has_a_brotli_twin() -> None:
    large = [file for file in (DIST / "runtime").rglob("*") if file.stat().st_size > 50_000]
    sources = [file for file in large if file.is_file() and file.suffix != ".br"]
    assert len(sources) >= 8
    for file in sources:
        assert 0 < brotli_of(file).stat().st_size < file.stat().st_size


def test_the_fixed_part_stays_small() -> None:
    """Everything but the model."""
    parts = sizes(DIST)
    fixed = {part: sent for part, (_, sent) in parts.items() if part != "model"}
    assert all(fixed.values())
    assert sum(fixed.values()) <= 9_000_000, fixed
