"""The model of a site: the files of each dtype, and the manifest that lists them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from twinvec.catalog.find import find_model
from twinvec.embedder import Embedder
from twinvec.files.atomic import write_file
from twinvec.model.reference import REFERENCE_POOLING, REFERENCE_TEXTS, record
from twinvec.site.files import copy_verified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from twinvec.model.info import ModelInfo

    FoundModels: TypeAlias = Mapping[str, tuple[Path, ModelInfo]]
    """dtype -> the model's folder and facts."""


def find_models(model: str | Path | None, dtypes: Sequence[str]) -> FoundModels:
    """Find one model in several dtypes.

    A model that stands in for the default one in the first dtype is used for all of them.

    Raises:
        TwinvecError: the model cannot be found in one of the dtypes.
    """
    folder, info = find_model(model, dtype=dtypes[0])
    model = model or info.name
    others = {dtype: find_model(model, dtype=dtype) for dtype in dtypes[1:]}
    return {dtypes[0]: (folder, info), **others}


def write_model(out: Path, models: FoundModels) -> Iterator[Path]:
    """Write the `models/` folder of the site `out`, unchanged files excepted. Yield all its files.

    Raises:
        IntegrityError: a file was altered since the model was found.
    """
    weights: dict[str, str] = {}
    files: dict[str, dict[str, Any]] = {}
    references: dict[str, Any] = {}
    for dtype, (folder, info) in models.items():
        for path, facts in info.files.items():
            yield copy_verified(folder / path, out / "models" / info.name / path, facts["sha256"])
        weights |= info.weights
        files |= info.files
        references |= info.references or {dtype: _record_reference(folder, dtype)}
    _, first = next(iter(models.values()))
    info = replace(first, weights=weights, files=files, references=references)
    manifest = out / "models" / "manifest.json"
    content = json.dumps({"models": [info.to_json()]}).encode()
    if not manifest.is_file() or manifest.read_bytes() != content:
        write_file(manifest, content)
    yield manifest


def _record_reference(folder: Path, dtype: str) -> dict[str, Any]:
    """Compute the reference vectors of a model folder that has none."""
    embedder = Embedder.from_pretrained(folder, dtype=dtype)
    reference = record(embedder.encode(REFERENCE_TEXTS, pooling=REFERENCE_POOLING))
    embedder.close()
    return reference
