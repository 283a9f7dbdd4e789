"""Store vectors in fewer bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from twinvec.encoding.arguments import float_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

Precision: TypeAlias = Literal["int8", "uint8", "binary", "ubinary"]


def quantize_embeddings(
    vectors: NDArray[np.float32],
    precision: Precision,
    ranges: NDArray[np.float32] | None = None,
) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Quantize vectors in the formats of sentence-transformers and Transformers.js.

    `binary` and `ubinary` keep one bit for each dimension: 1 if the value is above zero. The first
    dimension is the highest bit, and `binary` is `ubinary` - 128. `int8` and `uint8` divide the
    range of each dimension into 255 steps and clip values outside (sentence-transformers lets them
    wrap around).

    Args:
        vectors: float32 [n, dim]; `binary` and `ubinary` need a `dim` that is a multiple of 8.
        precision: `int8`, `uint8`, `binary` or `ubinary`.
        ranges: float32 [2, dim], for `int8` and `uint8`: the lowest and highest value of each
            dimension over a calibration set, such as the corpus:
            `np.stack([corpus.min(axis=0), corpus.max(axis=0)])`. Use the same ranges for queries.

    Returns:
        int8 or uint8 [n, dim]; [n, dim / 8] for `binary` and `ubinary`.

    Raises:
        ValueError: the precision is unknown, a shape does not fit, a number is not finite, or
            `ranges` is missing.
    """
    if precision not in (names := get_args(Precision)):
        raise ValueError(f"unknown precision {precision!r}; use one of: {', '.join(names)}")
    vectors = float_array(vectors, "vectors")
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be [n, dim], not of shape {vectors.shape}")
    _check_finite(vectors, "vectors")
    if precision in ("binary", "ubinary"):
        if vectors.shape[1] % 8:
            raise ValueError(f"{precision} needs a multiple of 8 dims, not {vectors.shape[1]}")
        bits = np.packbits(vectors > 0, axis=1)
        return bits if precision == "ubinary" else (bits ^ 0x80).view(np.int8)
    limits = None if ranges is None else float_array(ranges, "ranges")
    if limits is None or limits.shape != (2, vectors.shape[1]):
        raise ValueError(
            f"{precision} needs ranges [2, {vectors.shape[1]}]: each dimension's lowest and "
            "highest value over a calibration set"
        )
    _check_finite(limits, "ranges")
    lowest, highest = limits
    steps = np.where(highest > lowest, (highest - lowest) / 255, 1)
    levels: NDArray[np.float32] = ((vectors - lowest) / steps).clip(0, 255)
    if precision == "uint8":
        return levels.astype(np.uint8)
    return (levels - 128).astype(np.int8)


def _check_finite(rows: NDArray[np.float32], name: str) -> None:
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}[{int(np.argmin(finite))}] is not finite")
