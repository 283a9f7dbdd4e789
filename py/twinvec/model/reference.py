"""Reference vectors: recorded with a model, compared when it is opened.

Hashes prove that the files are right. Reference vectors prove that the code which computes with
them is right too: a browser, a processor, a build of ONNX Runtime. A folder made by `convert` keeps
them in `probes.json`, a site in `models/manifest.json`: a few short texts, and per dtype the unit
vectors that CPython computed. Opening a model encodes the first text and compares it, which costs
one run of a few tokens and warms the session up. `twinvec verify` compares all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from twinvec.errors import ModelError, ParityError
from twinvec.model.dtypes import parity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from twinvec.model.facts import Facts
    from twinvec.model.info import ModelInfo

REFERENCE_TEXTS = (
    "What is a panda?",
    "Crème brûlée: 2.5 €, 東京 👍",
    "def mean(values): return sum(values)",
)
"""The texts whose vectors are recorded."""

REFERENCE_POOLING: Literal["mean"] = "mean"
"""Pooling of reference vectors, whatever the model's own: it depends on every token's state."""

BOUNDS = {"exact": 2e-6, "approximate": 0.05}
"""Parity class -> largest accepted difference from a reference, in any dimension of a unit vector.

On x86-64 exact dtypes differed by 2.6e-7 at most, q8 by 0.021. Other processors round differently
and must still pass.
"""


def record(vectors: NDArray[np.float32]) -> dict[str, Any]:
    """Make the JSON block of one dtype's references.

    Args:
        vectors: float32 [n, dim], of `REFERENCE_TEXTS`, `REFERENCE_POOLING` and unit length.
    """
    rounded = vectors.astype(np.float64).round(9)
    return {"texts": list(REFERENCE_TEXTS), "vectors": rounded.tolist()}


def check_block(block: Facts, dim: int) -> dict[str, Any]:
    """Check the block of one dtype, which `record` made.

    Args:
        block: a part of `probes.json`.
        dim: length of the model's vectors.

    Raises:
        ModelError: it is not a list of texts with as many vectors.
    """
    texts, vectors = block.get("texts"), block.get("vectors")
    try:
        array = np.array(vectors)
        whole = array.dtype.kind in "if" and np.isfinite(array).all() and bool(texts)
    except (ValueError, TypeError, OverflowError, RecursionError):
        whole = False
    if not (
        whole
        and isinstance(texts, list)
        and all(isinstance(text, str) for text in texts)
        and array.shape == (len(texts), dim)
    ):
        raise ModelError(
            f"{block.file}: expected lists of texts and of as many vectors of {dim} numbers. Make "
            "the folder again with: twinvec convert"
        )
    return {"texts": texts, "vectors": vectors}


def reference_texts(info: ModelInfo, dtype: str) -> list[str]:
    """Return the texts that have reference vectors in this dtype; [] where none are recorded."""
    texts: list[str] = info.references.get(dtype, {}).get("texts", [])
    return texts


def check_vectors(info: ModelInfo, dtype: str, vectors: NDArray[np.float32]) -> float:
    """Compare vectors of the first `reference_texts` with their references.

    Args:
        info: a model that has references for `dtype`.
        dtype: the weights that computed the vectors.
        vectors: float32 [n, dim], of `REFERENCE_POOLING` and unit length.

    Returns:
        The largest difference in any dimension.

    Raises:
        ParityError: the difference is above the bound of the dtype's parity class.
    """
    expected = np.asarray(info.references[dtype]["vectors"], np.float32)[: len(vectors)]
    deviation = float(np.max(np.abs(vectors - expected)))
    bound = BOUNDS[parity(dtype)]
    if deviation <= bound:  # so that NaN fails
        return deviation
    raise ParityError(
        f"{info.name} ({dtype}) gives vectors that differ by {deviation:.3g} from its recorded "
        f"reference vectors; at most {bound:g} is expected. This runtime computes wrong vectors: "
        "try another dtype, or another or newer browser. With self_check off the model opens "
        "anyway, but do not compare its vectors with those of other runtimes."
    )
