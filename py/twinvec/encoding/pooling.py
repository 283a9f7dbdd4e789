"""From one hidden state per token to one vector per text, and that in fewer bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pooling", "Precision", "normalize", "pool", "pooling_mode", "quantize_embeddings"]

Pooling = Literal["mean", "cls", "last_token", "none"]
Precision = Literal["int8", "uint8", "binary", "ubinary"]

# The other names that Transformers.js gives the same thing.
_ALIASES = {"first_token": "cls", "eos": "last_token"}


def pooling_mode(name: str) -> Pooling:
    """Check a pooling's name and resolve Transformers.js's aliases.

    Raises:
        ValueError: the name is not one of `mean`, `cls`, `last_token`, `none`,
            `first_token` (= `cls`), `eos` (= `last_token`).
    """
    mode = _ALIASES.get(name, name)
    if mode not in get_args(Pooling):
        known = ", ".join([*get_args(Pooling), *_ALIASES])
        raise ValueError(f"unknown pooling {name!r}; use one of: {known}")
    return cast("Pooling", mode)


def pool(
    hidden: NDArray[np.float32], attention_mask: NDArray[np.int64], mode: Pooling
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Pool hidden states, ignoring padding.

    `last_token` takes the last row whose mask is 1, so that padding on the right is never
    mistaken for text.

    Args:
        hidden: float32 [rows, tokens, dim].
        attention_mask: int64 [rows, tokens], 1 for a token and 0 for padding.
        mode: see `pooling_mode`.

    Returns:
        float32 [rows, dim]; for `none` a list with one float32 [tokens of that row, dim] a row.
    """
    if mode == "none":
        kept = attention_mask.astype(bool)
        return [states[keep] for states, keep in zip(hidden, kept, strict=True)]
    if not hidden.shape[1]:  # an empty text of a tokenizer without special tokens
        return np.zeros((len(hidden), hidden.shape[2]), np.float32)
    if mode == "cls":
        return hidden[:, 0].copy()  # a view would keep every token's state alive
    if mode == "last_token":
        last = attention_mask.shape[1] - 1 - np.argmax(attention_mask[:, ::-1], axis=1)
        return cast("NDArray[np.float32]", hidden[np.arange(len(hidden)), last])
    weights = attention_mask[..., np.newaxis].astype(np.float32)
    total = np.maximum(weights.sum(axis=1), 1)
    return cast("NDArray[np.float32]", (hidden * weights).sum(axis=1) / total)


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to unit length along the last axis; a zero vector stays zero.

    sentence-transformers and fastembed keep zeros too; Transformers.js divides by zero.

    Args:
        vectors: float32 [..., dim].
    """
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return cast("NDArray[np.float32]", vectors / np.maximum(norms, np.float32(1e-12)))


def quantize_embeddings(
    vectors: NDArray[np.float32],
    precision: Precision,
    ranges: NDArray[np.float32] | None = None,
) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Store vectors in fewer bytes, as sentence-transformers and Transformers.js define it.

    `binary` and `ubinary` keep one bit a dimension, 1 where it is above zero, the first dimension
    in the highest bit; `binary` is `ubinary` - 128. `int8` and `uint8` cut each dimension's range
    into 255 steps; what lies outside is clipped (sentence-transformers lets it wrap around).

    Args:
        vectors: float32 [n, dim]; for the binary ones `dim` is a multiple of 8.
        precision: `int8`, `uint8`, `binary` or `ubinary`.
        ranges: float32 [2, dim], for `int8` and `uint8`: lowest and highest value of each
            dimension over a calibration set, such as the corpus:
            `np.stack([corpus.min(axis=0), corpus.max(axis=0)])`. Queries take the corpus's ranges.

    Returns:
        int8 or uint8, [n, dim], or [n, dim / 8] for the binary ones.

    Raises:
        ValueError: the precision is unknown, a shape does not fit, or `ranges` is missing.
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ValueError(f"unknown precision {precision!r}; use one of: {known}")
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be [n, dim], not of shape {vectors.shape}")
    if precision in ("binary", "ubinary"):
        if vectors.shape[1] % 8:
            raise ValueError(f"{precision} needs a multiple of 8 dims, not {vectors.shape[1]}")
        bits = np.packbits(vectors > 0, axis=1)
        return bits if precision == "ubinary" else (bits ^ 0x80).view(np.int8)
    if ranges is None or np.shape(ranges) != (2, vectors.shape[1]):
        raise ValueError(
            f"{precision} needs ranges [2, {vectors.shape[1]}]: each dimension's lowest and "
            "highest value over a calibration set"
        )
    lowest, highest = np.asarray(ranges, np.float32)
    steps = np.where(highest > lowest, (highest - lowest) / 255, 1)
    levels = ((vectors - lowest) / steps).clip(0, 255)
    quantized: NDArray[np.int8] | NDArray[np.uint8] = (
        levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)
    )
    return quantized
