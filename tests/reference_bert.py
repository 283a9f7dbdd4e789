"""BERT from its definition, in float64 and NumPy: an oracle that shares no code with a runtime."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ReferenceBert:
    """BERT's encoder (Devlin et al., 2018).

    Args:
        config: `config.json` of the model.
        weights: the tensors of `model.safetensors`.
        tanh: approximate GELU by tanh.
    """

    def __init__(
        self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], *, tanh: bool = False
    ) -> None:
        self.weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
        self.layers = [f"encoder.layer.{n}." for n in range(config["num_hidden_layers"])]
        self.heads, self.epsilon = config["num_attention_heads"], config["layer_norm_eps"]
        self.tanh = tanh

    def __call__(self, ids: Any, mask: Any, types: Any) -> Any:
        words, kinds, positions = (
            self.weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "token_type", "position")
        )
        hidden = words[ids] + kinds[types] + positions[: ids.shape[1]]
        hidden = self.norm(hidden, "embeddings.LayerNorm")
        for prefix in self.layers:
            attended = self.attend(hidden, mask, f"{prefix}attention.self.")
            attended = self.linear(attended, f"{prefix}attention.output.dense")
            hidden = self.norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
            wide = self.gelu(self.linear(hidden, f"{prefix}intermediate.dense"))
            narrow = self.linear(wide, f"{prefix}output.dense")
            hidden = self.norm(hidden + narrow, f"{prefix}output.LayerNorm")
        return hidden

    def linear(self, x: Any, name: str) -> Any:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: Any, name: str) -> Any:
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + self.epsilon)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def gelu(self, x: Any) -> Any:
        if self.tanh:
            return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

    def attend(self, hidden: Any, mask: Any, prefix: str) -> Any:
        parts = (self.linear(hidden, f"{prefix}{part}") for part in ("query", "key", "value"))
        heads = []
        for query, key, value in zip(
            *(np.split(part, self.heads, axis=-1) for part in parts), strict=True
        ):
            scores = query @ key.swapaxes(1, 2) / math.sqrt(key.shape[-1])
            shares = np.exp(scores - scores.max(-1, keepdims=True)) * mask[:, None, :]
            heads.append(shares / shares.sum(-1, keepdims=True) @ value)
        return np.concatenate(heads, axis=-1)
