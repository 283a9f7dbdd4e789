"""Whether this runtime gives the vectors that were recorded when a model's folder was made.

Hashes prove that the files are the right ones; this proves that what computes with them is right:
a browser, a processor or an ONNX Runtime of its own kind. A folder made by `twinvec convert` has
`probes.json`, and a site has the same in `models/manifest.json`: a few short texts, and per dtype
the unit vectors that CPython gave. On opening, the first of them is embedded and compared, which
costs one run of a few tokens, and warms the session up; `twinvec verify` compares all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from twinvec.errors import ParityError
from twinvec.model.dtypes import parity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.embedder import Embedder
    from twinvec.model.info import ModelInfo

__all__ = ["BOUNDS", "PROBE_POOLING", "check", "probe_texts", "record"]

BOUNDS = {"exact": 2e-6, "approximate": 0.05}
"""Parity class -> the difference between two runtimes' unit vectors, in any dimension, beyond which
one of them is taken to be wrong. On x86-64 exact ones differed by 2.6e-7 at most, q8 by 0.021;
other processors round otherwise, and must not be locked out by it."""

PROBE_POOLING: Literal["mean"] = "mean"
"""Whatever the model's own: it depends on every token's state."""

_TEXTS = (
    "What is a panda?",
    "Crème brûlée: 2.5 €, 東京 👍",
    "def mean(values): return sum(values)",
)


def record(embedder: Embedder) -> dict[str, Any]:
    """Make an embedder's reference: a few texts and their vectors, JSON-ready."""
    vectors = embedder.encode(_TEXTS, pooling=PROBE_POOLING)
    return {"texts": list(_TEXTS), "vectors": vectors.astype(np.float64).round(9).tolist()}


def probe_texts(info: ModelInfo, dtype: str) -> list[str]:
    """Give the texts whose vectors of this dtype are known; [] where none are."""
    texts: list[str] = info.probes.get(dtype, {}).get("texts", [])
    return texts


def check(info: ModelInfo, dtype: str, vectors: NDArray[np.float32]) -> float:
    """Compare vectors of the first `probe_texts` with their references.

    Args:
        info: a model that has references for `dtype`.
        dtype: which weights made the vectors.
        vectors: float32 [n, dim], of `PROBE_POOLING` and unit length.

    Returns:
        The largest difference in any dimension.

    Raises:
        ParityError: it is beyond the bound of the dtype's parity class.
    """
    expected = np.asarray(info.probes[dtype]["vectors"], np.float32)[: len(vectors)]
    deviation = float(np.max(np.abs(vectors - expected)))
    bound = BOUNDS[parity(dtype)]
    if deviation <= bound:  # so that NaN fails
        return deviation
    raise ParityError(
        f"{info.name} ({dtype}) gives vectors that differ by {deviation:.3g} from those recorded "
        f"with it, and {bound:g} is the most that is expected: this runtime computes otherwise. "
        "Try another dtype or browser, or update it; with self_check off the model opens all the "
        "same, but its vectors should not be compared with others'."
    )
