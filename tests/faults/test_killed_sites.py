"""A build of a site that is killed at a file operation, the first time and over an old site.

Expected: every file that both sites have is the old one or the new one, and so is the index; a
second run finishes, equals an uninterrupted one byte for byte, and leaves no other file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from killing import killed_at_every_operation, tree
from synthetic import write_tiny
from twinvec import Index
from twinvec.convert.folder import convert_folder
from twinvec.site.build import build_site

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

EVERY = 23  # operations; all of them take half an hour


def model_of(folder: Path) -> Path:
    return folder.parents[2] / "tiny"


def build(folder: Path) -> None:
    build_site(folder / "site", model_of(folder), dtypes=["w8"])[0].close()


def old_site(folder: Path) -> None:
    """A site of another dtype, with files of an earlier version."""
    shutil.copytree(folder.parents[2] / "old", folder / "site")


def nothing(folder: Path) -> None:
    assert folder.is_dir()


@pytest.mark.parametrize("prepare", [nothing, old_site])
def test_each_file_is_old_or_new_and_a_second_run_finishes(
    memory_path: Path, prepare: Callable[[Path], object]
) -> None:
    root = memory_path
    convert_folder(write_tiny(root / "source"), root / "tiny", ["fp32", "w8"])
    build_site(root / "old", root / "tiny", dtypes=["fp32"])[0].close()
    for path in ("twinvec.js", "workers/python.js", "models/manifest.json"):
        (root / "old" / path).write_bytes(b"of an earlier version")
    (root / "old" / "runtime" / "stale.mjs").touch()
    (root / "old" / "mine.html").write_bytes(b"mine")
    whole = root / "runs" / "whole" / "here"
    whole.mkdir(parents=True)
    prepare(whole)
    old = tree(whole)
    build(whole)
    expected = tree(whole)
    killed = 0
    for operation, folder in killed_at_every_operation(root / "runs", prepare, build, every=EVERY):
        killed += 1
        for path, content in tree(folder).items():
            if not path.endswith((".twinvec-part", ".twinvec-lock")) and "part/" not in path:
                assert content in (old.get(path), expected.get(path)), f"{path} at {operation}"
        assert not old or len(Index.load(folder / "site" / "index")) == 3, operation
        build(folder)
        assert tree(folder) == expected, operation
        shutil.rmtree(folder.parent)
    assert killed >= 4
