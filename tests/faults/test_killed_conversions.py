"""Conversions that are killed at every file operation.

Expected: a folder of a model is there whole or not at all; a second run finishes, equals an
uninterrupted one byte for byte, and leaves no other file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from killing import killed_at_every_operation, tree
from synthetic import write_tiny
from twinvec.catalog.made import made_folder, make_folder
from twinvec.convert.folder import convert_folder
from twinvec.model.info import ModelInfo, recorded_hashes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

REVISION = "c0ffee" * 6
TARGET = made_folder("owner/tiny", REVISION, "fp32", Path("cache"))


def source_of(folder: Path) -> Path:
    return folder.parents[2] / "source"


def convert(folder: Path) -> None:
    convert_folder(source_of(folder), folder / TARGET)


def make(folder: Path) -> None:
    make_folder(source_of(folder), "owner/tiny", REVISION, "fp32", folder / "cache")


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def incomplete(folder: Path) -> None:
    """A folder in the cache of which a file was deleted."""
    convert(folder)
    (folder / TARGET / "tokenizer.json").unlink()


CASES = {
    "convert": (nothing, convert),
    "make in the cache": (nothing, make),
    "make again in the cache": (incomplete, make),
}


@pytest.mark.parametrize(("prepare", "work"), CASES.values(), ids=CASES.keys())
def test_all_or_nothing_and_a_second_run_finishes(
    memory_path: Path, prepare: Callable[[Path], object], work: Callable[[Path], object]
) -> None:
    write_tiny(memory_path / "source")
    whole = memory_path / "runs" / "whole" / "here"
    whole.mkdir(parents=True)
    work(whole)
    expected = tree(whole)
    killed = 0
    for operation, folder in killed_at_every_operation(memory_path / "runs", prepare, work):
        killed += 1
        if prepare is nothing and (folder / TARGET).exists():
            files = ModelInfo.from_folder(folder / TARGET, "fp32").files
            hashes = {path: facts["sha256"] for path, facts in files.items()}
            assert hashes.items() <= recorded_hashes(folder / TARGET).items(), operation
            assert tree(folder / TARGET) == tree(whole / TARGET), operation
            shutil.rmtree(folder / TARGET)  # `convert` refuses a folder that is not empty
        work(folder)
        assert tree(folder) == expected, operation
        shutil.rmtree(folder.parent)
    assert killed >= 20
