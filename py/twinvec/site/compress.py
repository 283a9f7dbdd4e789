"""Brotli beside what is large, for hosts that send `file.br` where a browser accepts it.

Compressed at the highest quality, which takes a minute and a half for the whole runtime; so each
content is compressed once and kept in twinvec's cache. Weights are left out: they lose a tenth,
and take minutes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from twinvec.download import cache_root, sha256_of
from twinvec.site.node import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["brotli_of", "precompress"]


def brotli_of(file: Path) -> Path:
    """Name the compressed twin of a file."""
    return file.with_name(f"{file.name}.br")


def precompress(files: Sequence[Path], web: Path) -> Iterator[Path]:
    """Write the twin of each file, unless it is there, and give its path."""
    cache = cache_root() / "brotli"
    cache.mkdir(parents=True, exist_ok=True)
    kept = {file: cache / f"{sha256_of(file)}.br" for file in files}
    missing = {file: target for file, target in kept.items() if not target.is_file()}
    if missing:
        _compress(missing, web / "tools" / "brotli.mjs")
    for file, compressed in kept.items():
        twin = brotli_of(file)
        if not twin.is_file() or sha256_of(twin) != sha256_of(compressed):
            shutil.copyfile(compressed, twin)
        yield twin


def _compress(targets: Mapping[Path, Path], script: Path) -> None:
    """Compress each file to its target, as many at once as there are cores, with progress."""
    from tqdm.auto import tqdm

    def one(source: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / target.name
            run_script(script, source, part)
            part.replace(target)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(one, targets.keys(), targets.values())
        for _ in tqdm(done, "Compressing", len(targets), unit=" files"):
            pass
