"""Write BERT's encoder as an ONNX graph.

The graph uses standard operators of opset 20 only. `LayerNormalization` and `Gelu` are operators
there, so ONNX Runtime need not recognise them: it fuses each `Gelu` with the bias before it, and
each attention scale with its product. Opset 12, in which it also recognises whole attention
blocks, measured the same (within 2 %, x86-64, natively and in Chromium).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from twinvec.convert.graph import GraphBuilder
from twinvec.errors import ModelError, UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_OPSET = 20
_IR_VERSION = 9  # the first that has opset 20
_GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
"""`hidden_act` -> `approximate` of the operator `Gelu`."""

_UNUSED = ("pooler.", "cls.", "embeddings.position_ids")
"""Prefixes of tensors that a checkpoint may hold beside the encoder's."""


def bert_graph(config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Write BERT's encoder as an ONNX graph.

    Inputs are `input_ids`, `attention_mask` and `token_type_ids`: int64 [batch_size,
    sequence_length]. The output is `last_hidden_state`: float32 [batch_size, sequence_length,
    hidden_size]. All weights are float32.

    Args:
        config: the content of `config.json`.
        weights: the tensors of `model.safetensors` by name.

    Raises:
        UnsupportedModelError: `config` describes another architecture than BERT with absolute
            positions and a GELU, or a tensor belongs to no part of BERT's encoder.
        ModelError: a tensor is missing, or a number in `config` is wrong.
    """
    _check_config(config)
    return _BertGraph(config, weights).build()


def _check_config(config: Mapping[str, Any]) -> None:
    supported = {
        "model_type": ("bert",),
        "hidden_act": tuple(_GELU),
        "position_embedding_type": ("absolute",),
    }
    values = {"position_embedding_type": "absolute", **config}
    for key, supported_values in supported.items():
        if values.get(key) not in supported_values:
            raise UnsupportedModelError(
                f"config.json: {key} {values.get(key)!r} cannot be converted; "
                f"supported: {', '.join(supported_values)}"
            )
    for key in ("num_hidden_layers", "num_attention_heads", "hidden_size"):
        if type(config.get(key)) is not int or config[key] < 1:
            raise ModelError(
                f"config.json: {key} must be a number above 0, not {config.get(key)!r}"
            )
    if config["hidden_size"] % config["num_attention_heads"]:
        raise ModelError("config.json: hidden_size must be a multiple of num_attention_heads")
    epsilon = config.get("layer_norm_eps")
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1:
        raise ModelError(f"config.json: layer_norm_eps must be between 0 and 1, not {epsilon!r}")


class _BertGraph(GraphBuilder):
    """BERT's layers as nodes; each method returns the name of the output that it adds."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        self._config = config
        self._weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
        self._used: set[str] = set()

    def build(self) -> onnx.ModelProto:
        config = self._config
        mask = self._mask()
        hidden = self._embeddings()
        for layer in range(config["num_hidden_layers"]):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}.")
        self.nodes.append(helper.make_node("Identity", [hidden], ["last_hidden_state"]))
        self._refuse_leftovers()
        axes = ["batch_size", "sequence_length"]
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, axes)
                for name in ("input_ids", "attention_mask", "token_type_ids")
            ],
            [
                helper.make_tensor_value_info(
                    "last_hidden_state", TensorProto.FLOAT, [*axes, config["hidden_size"]]
                )
            ],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="twinvec",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        onnx.checker.check_model(model)
        return model

    def _mask(self) -> str:
        """Turn the mask, ones and zeros [batch, tokens], into a term of the attention scores."""
        mask = self.add("Unsqueeze", "attention_mask", self.constant("mask_axes", [1, 2]))
        mask = self.add("Cast", mask, to=TensorProto.FLOAT)
        padding = self.add("Sub", self.constant("one", np.float32(1)), mask)
        return self.add("Mul", padding, self.constant("lowest", np.finfo(np.float32).min))

    def _embeddings(self) -> str:
        words = self.add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        types = self.add(
            "Gather", self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids"
        )
        positions = self.add(
            "Slice",
            self._weight("embeddings.position_embeddings.weight"),
            self.constant("first", [0]),
            self.add("Shape", "input_ids", start=1, end=2),
        )
        total = self.add("Add", self.add("Add", words, types), positions)
        return self._layer_norm(total, "embeddings.LayerNorm")

    def _layer(self, hidden: str, mask: str, prefix: str) -> str:
        attended = self._attention(hidden, mask, prefix + "attention.self.")
        attended = self._linear(attended, prefix + "attention.output.dense")
        hidden = self._layer_norm(
            self.add("Add", attended, hidden), prefix + "attention.output.LayerNorm"
        )
        wide = self._linear(hidden, prefix + "intermediate.dense")
        wide = self.add("Gelu", wide, approximate=_GELU[self._config["hidden_act"]])
        narrow = self._linear(wide, prefix + "output.dense")
        return self._layer_norm(self.add("Add", narrow, hidden), prefix + "output.LayerNorm")

    def _attention(self, hidden: str, mask: str, prefix: str) -> str:
        """Add softmax(query @ key / sqrt(size) + mask) @ value, over all heads."""
        heads = self._config["num_attention_heads"]
        size = self._config["hidden_size"] // heads
        split = self.constant("split_heads", [0, 0, heads, size])
        by_head = [0, 2, 1, 3]
        states = {}
        # The key is transposed too, ready to be multiplied.
        for part, order in (("query", by_head), ("key", [0, 2, 3, 1]), ("value", by_head)):
            linear = self.add("Reshape", self._linear(hidden, prefix + part), split)
            states[part] = self.add("Transpose", linear, perm=order)
        scores = self.add("MatMul", states["query"], states["key"])
        scores = self.add("Div", scores, self.constant("scale", np.float32(math.sqrt(size))))
        shares = self.add("Softmax", self.add("Add", scores, mask), axis=-1)
        mixed = self.add("MatMul", shares, states["value"])
        mixed = self.add("Transpose", mixed, perm=by_head)
        return self.add("Reshape", mixed, self.constant("join_heads", [0, 0, heads * size]))

    def _linear(self, hidden: str, name: str) -> str:
        product = self.add("MatMul", hidden, self._weight(name + ".weight", transpose=True))
        return self.add("Add", product, self._weight(name + ".bias"))

    def _layer_norm(self, hidden: str, name: str) -> str:
        return self.add(
            "LayerNormalization",
            hidden,
            self._weight(name + ".weight"),
            self._weight(name + ".bias"),
            epsilon=self._config["layer_norm_eps"],
        )

    def _weight(self, name: str, *, transpose: bool = False) -> str:
        if name not in self._weights:
            raise ModelError(f"model.safetensors has no tensor {name!r}; is it a BERT encoder?")
        self._used.add(name)
        tensor = self._weights[name].astype(np.float32, copy=False)
        return self.constant(name, tensor.T if transpose else tensor)

    def _refuse_leftovers(self) -> None:
        """Raise for a tensor that the graph does not use."""
        for name in self._weights:
            if name not in self._used and not name.startswith(_UNUSED):
                raise UnsupportedModelError(
                    f"model.safetensors has {name!r}, which is no part of BERT's encoder"
                )
