"""Models of seeded random weights: tiny ones, and one with the shape of bge-small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED

Weights = dict[str, NDArray[np.float32]]

TINY: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 50,
    "layer_norm_eps": 1e-2,  # large enough to be missed where it is ignored
    "max_position_embeddings": 64,
}
BGE_SMALL: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 12,
    "hidden_size": 384,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "vocab_size": 30522,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
}
"""The shape in `config.json` of BAAI/bge-small-en-v1.5."""

WORDS: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordLevel",
        "vocab": {"[UNK]": 0} | {f"word{number}": number for number in range(1, 50)},
        "unk_token": "[UNK]",
    },
}
"""A `tokenizer.json` for `TINY`: the words `word1` to `word49`."""


def bert_weights(config: dict[str, Any], spread: float, seed: int = 7) -> Weights:
    """Draw every tensor of a BERT encoder with the standard deviation `spread`."""
    random = np.random.default_rng(seed)
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    rows = {
        "word": config["vocab_size"],
        "position": config["max_position_embeddings"],
        "token_type": 2,
    }
    shapes: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (count, hidden) for name, count in rows.items()
    }
    norms = ["embeddings.LayerNorm"]
    square = ("self.query", "self.key", "self.value", "output.dense")
    linear = {f"attention.{part}": (hidden, hidden) for part in square}
    linear |= {"intermediate.dense": (wide, hidden), "output.dense": (hidden, wide)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        for name, shape in linear.items():
            shapes[f"{prefix}{name}.weight"] = shape
            shapes[f"{prefix}{name}.bias"] = shape[:1]
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    weights = {name: random.normal(0, spread, shape) for name, shape in shapes.items()}
    for name in norms:
        weights[f"{name}.weight"] = random.normal(1, spread, hidden)
        weights[f"{name}.bias"] = random.normal(0, spread, hidden)
    return {name: tensor.astype(np.float32) for name, tensor in weights.items()}


def tiny_bert() -> Weights:
    """Draw weights wide enough that softmax, GELU and every bias matter."""
    return bert_weights(TINY, 0.3)


def write_tiny(folder: Path) -> Path:
    """Write a folder as the Hub has it, with cls pooling."""
    (folder / "1_Pooling").mkdir(parents=True)
    save_file(tiny_bert(), folder / "model.safetensors")
    for name, content in {
        "config.json": TINY,
        "tokenizer.json": WORDS,
        "tokenizer_config.json": {},
        "1_Pooling/config.json": {"pooling_mode_cls_token": True},
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def write_bge_small(folder: Path) -> Path:
    """Write a folder with bge-small's shape, and the tokenizer of the embedded model.

    Trained BERTs have weights of about this spread.
    """
    folder.mkdir(parents=True)
    embedded, _ = find_model(EMBEDDED.name, dtype="fp32")
    shutil.copy(embedded / "tokenizer.json", folder)  # bge-small has the same vocabulary
    save_file(bert_weights(BGE_SMALL, 0.05), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(BGE_SMALL), encoding="utf-8")
    config = json.loads((embedded / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["model_max_length"] = BGE_SMALL["max_position_embeddings"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
