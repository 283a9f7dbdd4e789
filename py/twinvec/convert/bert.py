"""BERT's encoder as an ONNX graph.

It uses standard operators of opset 20 only. `LayerNormalization` and `Gelu` are operators there, so
ONNX Runtime has nothing to recognise: it fuses each `Gelu` with the bias before it and each
attention scale with its product. The older opset 12, in which it also recognises whole attention
blocks, measured the same (within 2 %, x86-64, natively and in Chromium).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from twinvec.errors import ModelError, UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["bert_graph"]

_OPSET = 20
_IR_VERSION = 9  # the first that has opset 20
_GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
_UNUSED = ("pooler.", "cls.", "embeddings.position_ids")


def bert_graph(config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Write BERT's encoder as an ONNX graph.

    Inputs `input_ids`, `attention_mask`, `token_type_ids`: int64 [batch_size, sequence_length];
    output `last_hidden_state`: float32 [batch_size, sequence_length, hidden_size]. All weights are
    float32.

    Raises:
        UnsupportedModelError: `config` asks for something else than BERT with absolute positions
            and a GELU, or the weights hold a tensor that BERT's encoder has no place for.
        ModelError: a tensor is missing.
    """
    _check_config(config)
    return _BertGraph(config, weights).build()


def _check_config(config: Mapping[str, Any]) -> None:
    asked = {
        "model_type": (config.get("model_type"), ("bert",)),
        "hidden_act": (config.get("hidden_act"), tuple(_GELU)),
        "position_embedding_type": (
            config.get("position_embedding_type", "absolute"),
            ("absolute",),
        ),
    }
    for key, (value, supported) in asked.items():
        if value not in supported:
            raise UnsupportedModelError(
                f"config.json: {key} {value!r} cannot be converted; "
                f"supported: {', '.join(supported)}"
            )


class _BertGraph:
    """Collects nodes and initializers; every method returns the name of what it added."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
        self._config = config
        self._weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
        self._used: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def build(self) -> onnx.ModelProto:
        config = self._config
        mask = self._mask()
        hidden = self._embeddings()
        for layer in range(config["num_hidden_layers"]):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}.")
        self._nodes.append(helper.make_node("Identity", [hidden], ["last_hidden_state"]))
        self._refuse_leftovers()
        axes = ["batch_size", "sequence_length"]
        graph = helper.make_graph(
            self._nodes,
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
            self._initializers,
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
        """Turn [batch, tokens] of ones and zeros into what is added to attention scores."""
        mask = self._add("Unsqueeze", "attention_mask", self._constant("mask_axes", [1, 2]))
        mask = self._add("Cast", mask, to=TensorProto.FLOAT)
        one = self._constant("one", np.float32(1))
        lowest = self._constant("lowest", np.finfo(np.float32).min)
        return self._add("Mul", self._add("Sub", one, mask), lowest)

    def _embeddings(self) -> str:
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        types = self._add(
            "Gather", self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids"
        )
        positions = self._add(
            "Slice",
            self._weight("embeddings.position_embeddings.weight"),
            self._constant("first", [0]),
            self._add("Shape", "input_ids", start=1, end=2),
        )
        total = self._add("Add", self._add("Add", words, types), positions)
        return self._layer_norm(total, "embeddings.LayerNorm")

    def _layer(self, hidden: str, mask: str, prefix: str) -> str:
        attended = self._attention(hidden, mask, prefix + "attention.self.")
        attended = self._linear(attended, prefix + "attention.output.dense")
        hidden = self._layer_norm(
            self._add("Add", attended, hidden), prefix + "attention.output.LayerNorm"
        )
        wide = self._linear(hidden, prefix + "intermediate.dense")
        wide = self._add("Gelu", wide, approximate=_GELU[self._config["hidden_act"]])
        narrow = self._linear(wide, prefix + "output.dense")
        return self._layer_norm(self._add("Add", narrow, hidden), prefix + "output.LayerNorm")

    def _attention(self, hidden: str, mask: str, prefix: str) -> str:
        heads = self._config["num_attention_heads"]
        size = self._config["hidden_size"] // heads
        split = self._constant("split_heads", [0, 0, heads, size])
        parts = {}
        for part, order in (("query", 1), ("key", -1), ("value", 1)):
            states = self._add("Reshape", self._linear(hidden, prefix + part), split)
            # The key comes out transposed, ready to be multiplied.
            permutation = [0, 2, 1, 3] if order > 0 else [0, 2, 3, 1]
            parts[part] = self._add("Transpose", states, perm=permutation)
        scores = self._add("MatMul", parts["query"], parts["key"])
        scores = self._add("Div", scores, self._constant("scale", np.float32(math.sqrt(size))))
        shares = self._add("Softmax", self._add("Add", scores, mask), axis=-1)
        mixed = self._add("MatMul", shares, parts["value"])
        mixed = self._add("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._add("Reshape", mixed, self._constant("join_heads", [0, 0, heads * size]))

    def _linear(self, hidden: str, name: str) -> str:
        product = self._add("MatMul", hidden, self._weight(name + ".weight", transpose=True))
        return self._add("Add", product, self._weight(name + ".bias"))

    def _layer_norm(self, hidden: str, name: str) -> str:
        return self._add(
            "LayerNormalization",
            hidden,
            self._weight(name + ".weight"),
            self._weight(name + ".bias"),
            epsilon=self._config["layer_norm_eps"],
        )

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _weight(self, name: str, *, transpose: bool = False) -> str:
        if name not in self._weights:
            raise ModelError(f"model.safetensors has no tensor {name!r}; is it a BERT encoder?")
        self._used.add(name)
        tensor = self._weights[name].astype(np.float32, copy=False)
        return self._constant(name, tensor.T if transpose else tensor)

    def _constant(self, name: str, value: Any) -> str:
        if all(tensor.name != name for tensor in self._initializers):
            array = np.asarray(value, order="C")
            self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def _refuse_leftovers(self) -> None:
        leftovers = [
            name
            for name in self._weights
            if name not in self._used and not name.startswith(_UNUSED)
        ]
        if leftovers:
            raise UnsupportedModelError(
                f"model.safetensors holds {leftovers[0]!r}, which BERT's encoder has no place for"
            )
