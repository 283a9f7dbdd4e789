"""Pool the hidden states of a text into one vector, and scale vectors to unit length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import numpy as np

from twinvec.encoding.arguments import float_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pooling: TypeAlias = Literal["mean", "cls", "last_token"]
PoolingName: TypeAlias = Literal[Pooling, "first_token", "eos"]
"""A pooling, or the name that Transformers.js uses for it."""

_TINY_NORM = np.float32(1e-12)  # the squares of smaller numbers are rounded to zero
_ALIASES = {"first_token": "cls", "eos": "last_token"}


def pooling_mode(name: str) -> Pooling:
    """Check the name of a pooling and resolve the aliases of Transformers.js.

    Raises:
        ValueError: the name is not one of `mean`, `cls`, `last_token`, `first_token` (= `cls`) and
            `eos` (= `last_token`).
    """
    if name == "none":
        raise ValueError("pooling 'none' gives one vector a token: use encode_tokens instead")
    mode = _ALIASES.get(name, name)
    if mode not in get_args(Pooling):
        names = ", ".join([*get_args(Pooling), *_ALIASES])
        raise ValueError(f"unknown pooling {name!r}; use one of: {names}")
    return cast("Pooling", mode)


def pool(states: NDArray[np.float32], mode: Pooling) -> NDArray[np.float32]:
    """Pool the hidden states of one text into one vector.

    Args:
        states: float32 [tokens, dim], without padding.
        mode: see `pooling_mode`.

    Returns:
        float32 [dim]; zeros where there are no tokens.
    """
    if not len(states):  # an empty text, and a tokenizer without special tokens
        return np.zeros(states.shape[1], np.float32)
    pooled: NDArray[np.float32]
    if mode == "mean":
        pooled = states.mean(axis=0)
    else:
        position = 0 if mode == "cls" else -1
        pooled = states[position].copy()  # a view would keep the states of all tokens in memory
    return pooled


def normalize(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to unit length along the last axis; a zero vector stays zero.

    A vector that is not finite becomes NaN.

    sentence-transformers and fastembed also keep zeros; Transformers.js divides by zero.

    Args:
        vectors: float32 [..., dim], also of numbers whose squares float32 cannot hold.

    Returns:
        float32 [..., dim].
    """
    vectors = vectors if isinstance(vectors, np.ndarray) else float_array(vectors, "vectors")
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        if not np.all((norms > _TINY_NORM) & (norms < np.inf)):
            # Powers of two scale without rounding, so the other vectors stay the same.
            _, exponents = np.frexp(np.abs(vectors).max(axis=-1, keepdims=True, initial=0))
            vectors = np.ldexp(vectors, -exponents)
            norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return cast("NDArray[np.float32]", vectors / np.maximum(norms, _TINY_NORM))
