"""From one hidden state per token to one vector per text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pooling", "normalize", "pool", "pooling_mode"]

Pooling = Literal["mean", "cls", "last_token", "none"]

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
