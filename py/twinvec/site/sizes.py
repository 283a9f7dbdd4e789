"""Sizes of a site's parts, as `twinvec site` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twinvec.site.compress import brotli_path
from twinvec.site.manifest import SITE_MANIFEST
from twinvec.site.scripts import DOORS, WORKERS

if TYPE_CHECKING:
    from pathlib import Path

PARTS: dict[str, tuple[str, ...]] = {
    "Pyodide": ("runtime/pyodide/pyodide*",),
    "standard library": ("runtime/pyodide/python_stdlib.zip*",),
    "NumPy": ("runtime/numpy.zip*",),
    "twinvec": ("runtime/twinvec.zip*",),
    "ONNX Runtime Web": ("runtime/onnxruntime-web/*",),
    "WebGPU, if asked": ("runtime/onnxruntime-webgpu/*",),
    "tokenizers": ("runtime/tokenizers/*",),
    "scripts": (*DOORS, *WORKERS),
    "licenses, hashes": ("runtime/licenses/*", SITE_MANIFEST),
    "model": ("models/**/*",),
    "index": ("index/*",),
}
"""Part of a site -> patterns of its files."""


class PartSize(NamedTuple):
    """Size of one part, in bytes."""

    raw: int
    sent: int
    """Bytes to send where the server sends Brotli."""


def measure_parts(site: Path) -> dict[str, PartSize]:
    """Measure the parts of a site that have files."""
    sizes = {}
    for part, patterns in PARTS.items():
        matches = (file for pattern in patterns for file in site.glob(pattern))
        files = [file for file in matches if file.is_file() and file.suffix != ".br"]
        if files:
            raw = sum(file.stat().st_size for file in files)
            sizes[part] = PartSize(raw, sum(map(_sent_bytes, files)))
    return sizes


def _sent_bytes(file: Path) -> int:
    compressed = brotli_path(file)
    return (compressed if compressed.is_file() else file).stat().st_size
