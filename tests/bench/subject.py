"""The model that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from synthetic import write_bge_small
from twinvec import Embedder
from twinvec.convert import convert_folder
from twinvec.models import resolve
from twinvec.pins import EMBEDDED
from twinvec.site import build_site

DTYPES = ("fp32", "w8", "w8a8", "q8")


@dataclass(frozen=True)
class Subject:
    """A model, opened natively, the folder of its files, and a site that has it."""

    embedder: Embedder
    folder: Path
    dist: Path


def prepare(folder: Path, *, synthetic: bool) -> Subject:
    """Take all-MiniLM-L6-v2, or make a model of random weights with bge-small's shape."""
    model: str | Path = EMBEDDED.name
    if synthetic:
        model = folder / "bge-small-shape"
        convert_folder(write_bge_small(folder / "safetensors"), model, dtypes=DTYPES)
    embedder, _ = build_site(folder / "dist", model, dtypes=DTYPES)
    found, _ = resolve(model, dtype="fp32")
    return Subject(embedder, found, folder / "dist")
