"""List the weights that are known or cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinvec.catalog.made import made_folder
from twinvec.catalog.pinned import pinned_dtypes
from twinvec.catalog.pins import PINS
from twinvec.download import cache_root
from twinvec.model.dtypes import DTYPES, onnx_path

if TYPE_CHECKING:
    from pathlib import Path

    from twinvec.catalog.pins import Pin


@dataclass(frozen=True)
class Weights:
    """One dtype of a model."""

    model: str
    revision: str
    dtype: str
    file: Path | None
    """The cached ONNX file; None where it is not cached."""
    bytes: int | None
    """Size of that file, or of the one on the Hub; None where it is not known."""


def list_weights(cache_dir: Path | str | None = None) -> list[Weights]:
    """List every dtype of the pinned models, then those of other cached models; no network."""
    # huggingface_hub takes 0.15 s to import, and a local folder does not need it.
    from twinvec.catalog.hub import cached_files

    cache = cache_root(cache_dir)
    weights = [
        _pinned_weights(pin, dtype, cache) for pin in PINS.values() for dtype in pinned_dtypes(pin)
    ]
    dtypes = {onnx_path(dtype): dtype for dtype in DTYPES}
    for name, revision, path, file in cached_files(cache):
        if path in dtypes and not (name in PINS and revision == PINS[name].revision):
            weights.append(Weights(name, revision, dtypes[path], file, file.stat().st_size))
    return weights


def _pinned_weights(pin: Pin, dtype: str, cache: Path) -> Weights:
    from twinvec.catalog.hub import cached_file

    path = onnx_path(dtype)
    file: Path | None = made_folder(pin.name, pin.revision, dtype, cache) / path
    if path in pin.sha256:
        file = cached_file(pin.name, pin.revision, path, cache)
    if file and file.is_file():
        return Weights(pin.name, pin.revision, dtype, file, file.stat().st_size)
    return Weights(pin.name, pin.revision, dtype, None, pin.sizes.get(path))
