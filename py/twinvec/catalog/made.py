"""The part of the cache that holds model folders made by `convert`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from twinvec.errors import ModelError
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked
from twinvec.model.dtypes import onnx_path
from twinvec.model.info import recorded_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

GRAPH_VERSION = "graph2"
"""Part of the folders' names. Change it when `convert` writes another graph from the same weights:
folders of the old name are then no longer used."""


def made_folder(name: str, revision: str, dtype: str, cache: Path) -> Path:
    """Return the folder of weights that are made on this computer, whether or not it exists."""
    suffix = "" if dtype == "fp32" else f"-{dtype}"
    return cache / "models" / name / f"{revision}-{GRAPH_VERSION}{suffix}"


def is_complete(folder: Path, paths: Iterable[str]) -> bool:
    """Check if a made folder has some files and all that it records."""
    try:
        recorded = recorded_hashes(folder)
    except ModelError:  # the record is damaged: the folder is made again
        return False
    return bool(recorded) and all((folder / path).is_file() for path in {*paths, *recorded})


def make_folder(full: Path, name: str, revision: str, dtype: str, cache: Path) -> Path:
    """Make a dtype from a folder of full-precision weights; return the new folder.

    A folder of that name that is not complete is replaced.
    """
    # Optional dependencies, which only a conversion needs.
    from twinvec.convert.folder import write_folder

    folder = made_folder(name, revision, dtype, cache)
    with locked(folder, wait_seconds=CACHE_WAIT_SECONDS):
        if is_complete(folder, [onnx_path(dtype)]):  # another run was faster
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        return write_folder(full, folder, [dtype])
