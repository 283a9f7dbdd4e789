"""CPython's results, which those of browsers are compared with."""

from __future__ import annotations

import base64
import json
import platform
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from twinvec.convert.quality import QUALITY_TEXTS
from twinvec.download import sha256_of
from twinvec.embedder import Embedder
from twinvec.errors import IntegrityError, ParityWarning, TruncationWarning, TwinvecError
from twinvec.index import Index
from twinvec.model.dtypes import dtype_facts
from twinvec.model.facts import read_json
from twinvec.model.info import ModelInfo
from twinvec.model.reference import BOUNDS
from twinvec.runtime.native import NativeSession, NativeTokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from twinvec.certify.texts import Sample

MODES: Sequence[Literal["semantic", "lexical", "hybrid"]] = ("semantic", "lexical", "hybrid")
SEARCHES = 10
"""Queries to search for in each mode."""

BOUND = 5e-7
"""Largest accepted difference of exact dtypes, in any dimension of a unit vector.

On several hundred texts weights that compute in float32 (w8 does) differed by 2.2e-7 at most.
"""


@dataclass(frozen=True)
class NativeResults:
    """Results of CPython for one dtype of a site."""

    dtype: str
    fingerprint: Mapping[str, Any]
    weights_bytes: int
    vectors: NDArray[np.float32]
    """Unit vectors of the texts, then of the queries: float32 [texts + queries, dim]."""
    quality_vectors: NDArray[np.float32]
    """Unit vectors of the quality set, float32 [n, dim]."""
    ids: list[list[int]]
    """Token ids of the texts."""
    hits: Mapping[str, list[list[tuple[str, float]]]]
    """Mode -> for each query the ids and scores that it finds."""

    @property
    def exact(self) -> bool:
        """True if all runtimes must agree."""
        return dtype_facts(self.dtype).parity == "exact"

    @property
    def bound(self) -> float:
        """Largest accepted difference, in any dimension of a unit vector."""
        facts = dtype_facts(self.dtype)
        if facts.parity != "exact":
            return BOUNDS[facts.parity]
        return 0 if facts.bit_exact else BOUND

    def to_json(self) -> dict[str, Any]:
        """Return the part that `web/certify/page.js` compares with."""
        return {
            "bound": self.bound,
            "fingerprint": self.fingerprint,
            "vectors": base64.b64encode(self.vectors.tobytes()).decode(),
            "ids": self.ids,
            "hits": self.hits,
        }


def native_versions() -> dict[str, str]:
    """Return the versions that CPython's results depend on."""
    packages = ("twinvec", "numpy", "onnxruntime", "tokenizers")
    return {
        "CPython": platform.python_version(),
        **{name: version(name) for name in packages},
        "processor": platform.machine(),
    }


def site_models(site: Path) -> list[ModelInfo]:
    """Read the models of a site.

    Raises:
        TwinvecError: the folder is not a site.
    """
    file = site / "models" / "manifest.json"
    if not file.is_file():
        raise TwinvecError(f"{file} does not exist; name a folder that `twinvec site` wrote")
    return [ModelInfo.from_json(block) for block in read_json(file)["models"]]


def open_site_model(site: Path, info: ModelInfo, dtype: str) -> Embedder:
    """Open a model of a site on CPython, over the same files as a browser.

    Raises:
        IntegrityError: a file is not the one that the site's manifest lists.
    """
    folder = site / "models" / info.name
    tokenizer, weights = folder / "tokenizer.json", folder / info.weights[dtype]
    for file in (tokenizer, weights):
        expected, actual = info.files[file.relative_to(folder).as_posix()], sha256_of(file)
        if expected["sha256"] != actual:
            advice = "Build the site again."
            raise IntegrityError(str(file), expected["sha256"], actual, advice)
    return Embedder(info, NativeTokenizer(tokenizer), NativeSession(weights), dtype=dtype)


def record(embedder: Embedder, sample: Sample, index_folder: Path) -> NativeResults:
    """Embed, tokenize and search a sample, and save the index of it.

    Args:
        embedder: a model of the site.
        sample: texts and queries.
        index_folder: folder for the index, which a browser opens.
    """
    ids = [f"text-{number}" for number in range(len(sample.documents))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)  # some texts are too long on purpose
        warnings.simplefilter("ignore", ParityWarning)
        vectors = embedder.encode([*sample.texts, *sample.queries])
        index = Index.build(sample.documents, embedder, ids=ids)
        index.save(index_folder)
    hits: dict[str, list[list[tuple[str, float]]]] = {
        mode: [
            [(hit.id, hit.score) for hit in index.search(query, embedder, mode=mode)]
            for query in sample.queries[:SEARCHES]
        ]
        for mode in MODES
    }
    info = embedder.info
    return NativeResults(
        dtype=embedder.dtype,
        fingerprint=embedder.fingerprint,
        weights_bytes=info.files[info.weights[embedder.dtype]]["bytes"],
        vectors=vectors,
        quality_vectors=embedder.encode(QUALITY_TEXTS),
        ids=[ids.tolist() for ids in embedder.pipeline.token_ids(sample.texts)],
        hits=hits,
    )


def write_record(folder: Path, sample: Sample, results: Sequence[NativeResults]) -> None:
    """Write `record.json`, for the page."""
    content = {
        "texts": sample.texts,
        "queries": sample.queries,
        "modes": MODES,
        "searches": SEARCHES,
        "native": native_versions(),
        "dtypes": {result.dtype: result.to_json() for result in results},
    }
    (folder / "record.json").write_text(json.dumps(content), encoding="utf-8")
