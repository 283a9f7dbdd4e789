"""Brotli files beside large ones, for hosts that send `file.br` to browsers that accept it.

The highest quality takes a minute and a half for the whole runtime, so each content is compressed
once and cached.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from twinvec.download import cache_root, sha256_of
from twinvec.files.atomic import CACHE_WAIT_SECONDS, locked, replacing
from twinvec.site.files import copy_file
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def brotli_path(file: Path) -> Path:
    """Return the path of a file's compressed form: `file.br` beside it."""
    return file.with_name(f"{file.name}.br")


def write_compressed(
    files: Sequence[Path], web: Path, on_compress: Callable[[int, int], object] | None = None
) -> list[Path]:
    """Write the compressed form of each file, unchanged ones excepted.

    Args:
        files: files to compress; they stay.
        web: the sources of the browser side, which have the compressing script.
        on_compress: called after each file that the cache lacked with the files done, and their
            total.

    Returns:
        The paths of the compressed forms.

    Raises:
        TwinvecError: Node is missing, or it failed.
    """
    cache = cache_root() / "brotli"
    cache.mkdir(parents=True, exist_ok=True)
    cached = {file: cache / f"{sha256_of(file)}.br" for file in files}
    missing = {file: target for file, target in cached.items() if not target.is_file()}
    _compress_all(missing, web / "tools" / "brotli.mjs", on_compress)
    for file, compressed in cached.items():
        target = brotli_path(file)
        if not target.is_file() or sha256_of(target) != sha256_of(compressed):
            copy_file(compressed, target)
    return [brotli_path(file) for file in files]


def _compress_all(
    targets: Mapping[Path, Path], script: Path, on_compress: Callable[[int, int], object] | None
) -> None:
    """Compress each file to its target, as many at a time as there are cores."""

    def compress(source: Path, target: Path) -> None:
        with locked(target, wait_seconds=CACHE_WAIT_SECONDS):
            if not target.is_file():  # else another run was faster
                with replacing(target) as part:
                    run_script(script, source, part)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = pool.map(compress, targets.keys(), targets.values())
        for done, _ in enumerate(jobs, start=1):
            if on_compress:
                on_compress(done, len(targets))
