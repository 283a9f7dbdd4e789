"""Quantize weights and activations to 8 bits, with the same bits on every runtime: `w8a8`.

Runtimes add up floats in different orders, so their sums are rounded differently. Where sums are
quantized again, one flipped level grows from layer to layer; see `convert.q8`. Sums of integers do
not depend on their order. This graph therefore adds up only integers whose sums are exact, and
computes everything else for each number alone, with operators that IEEE 754 rounds correctly.

- Matrices: uint8 levels of weights and of activations, added up in int32. Each is cut into 4 blocks
  of inputs; a block of a row of activations, or of a column of weights, has its own scale.
- Attention: queries, keys, values and shares are integers, with so few levels that float32 holds
  every sum of their products. Scales are per row, head or channel, and exclude padding: a text's
  states do not depend on the texts that share its run.
- Softmax and GELU: polynomials. The exponentials are integers, hence so is their sum.
- LayerNormalization: its input is rounded to 2^20 levels of the row's peak. float64 holds their
  sums and sums of squares, in rows of up to 8192.

The states are thus the same to the last bit in CPython on x86-64 and in Chromium's WebAssembly, and
on emulated processors with AVX2 or SSE4 at most. That requires unsigned weights: kernels for AVX2
without VNNI saturate where they multiply uint8 by int8, and int8 weights gave other bits there.
Pooling and normalizing, in NumPy, might still differ; on 311 texts they did not.

Measured on all-MiniLM-L6-v2: lowest cosine to fp32 0.994 over the quality set, that of the empty
text, whose vector depends on a few large activations. Without blocks it is 0.982, and the time in
WebAssembly 0.6 instead of 0.7 of fp32's; with blocks of 64 inputs it is 0.997, but no time is
saved. Asymmetric levels of GELU's output, or twice as many of attention's shares, gained nothing
beyond blocks.
"""

from __future__ import annotations

import math
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from twinvec.convert.graph import GraphBuilder
from twinvec.errors import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_MAX_EXACT = 2**24  # float32 holds every integer up to it
_MAX_TOKENS = 1024
_BLOCKS = 4  # of a matrix's inputs
_LEVELS = 127  # of weights and activations, on each side of zero
_ZERO_LEVEL = 128  # the uint8 that means zero
_EXPONENTIAL_LEVELS = (
    _MAX_EXACT // _MAX_TOKENS
)  # of the largest score, so that a row's sum is exact
_SHARE_LEVELS = 2**13  # of a share of 1
# Rounding adds at most one half to each share, so a row of shares sums up to no more than this
# divisor. Times a value, that is the largest sum in attention.
_VALUE_LEVELS = _MAX_EXACT // (_SHARE_LEVELS + _MAX_TOKENS // 2)
_NORM_LEVELS = 2**20  # of LayerNormalization's input
_MIN_PEAK = 1e-20  # instead of the peak of a row of zeros

_PHI_RANGE = 4.0
_PHI = {
    "none": (
        *(0.3978834, -0.06457312, 0.00877239, -0.0008140157),
        *(4.795553e-05, -1.598602e-06, 2.278144e-08),
    ),
    "tanh": (
        *(0.3977508, -0.06464668, 0.008841248, -0.0008291291),
        *(4.941715e-05, -1.665161e-06, 2.394934e-08),
    ),
}
"""`approximate` of Gelu -> coefficients of P in GELU(x) = x * phi(x), phi(x) = 1/2 + x * P(x^2).

Lowest order first; fitted on [-4, 4] for the lowest error of GELU on [-10, 10], which is 1.9e-4 and
3.4e-4.
"""

_UNCHANGED = {"Add", "Cast", "Div", "Gather", "Identity", "Mul", "Reshape", "Shape"} | {
    *("Slice", "Sub", "Transpose", "Unsqueeze")
}
_REWRITTEN = {"Gelu", "LayerNormalization", "MatMul", "Softmax"}


def make_w8a8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite a BERT encoder's graph to compute in integers; embedding tables stay unchanged.

    Args:
        model: a float32 graph as `bert.bert_graph` writes it; it is not changed.

    Raises:
        UnsupportedModelError: see `check_w8a8`.
    """
    check_w8a8(model)
    return _IntegerGraph(model).build()


def check_w8a8(model: onnx.ModelProto) -> None:
    """Check that `make_w8a8` can rewrite a graph.

    Raises:
        UnsupportedModelError: an operator's result may depend on an order of summation, or the
            model takes more than 1024 tokens.
    """
    for node in model.graph.node:
        if node.op_type not in _UNCHANGED | _REWRITTEN:
            raise UnsupportedModelError(
                f"w8a8 cannot be made of a graph with {node.op_type} ({node.name}), which runtimes "
                "may round differently. It can be made of model.safetensors: twinvec convert "
                "writes another graph from it, in a folder that has no onnx/model.onnx"
            )
    sliced = {node.input[0] for node in model.graph.node if node.op_type == "Slice"}
    positions = [tensor.dims[0] for tensor in model.graph.initializer if tensor.name in sliced]
    if not positions or max(positions) > _MAX_TOKENS:
        raise UnsupportedModelError(
            f"w8a8 cannot be made of a model with {max(positions, default='unknown')} positions: "
            f"its sums are exact up to {_MAX_TOKENS} tokens; use w8"
        )


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    return helper.get_attribute_value(attributes[name]) if name in attributes else default


class _IntegerGraph(GraphBuilder):
    """The rewritten graph; each method that adds nodes returns the name of their output.

    Shapes are BERT's: hidden states [batch, tokens, width], queries and values [batch, heads,
    tokens, size], keys [batch, heads, size, tokens].
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__(prefix="w8a8/")
        self._model = model
        self._weights = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        inferred = shape_inference.infer_shapes(model).graph.value_info
        self._last_axis = {
            value.name: value.type.tensor_type.shape.dim[-1].dim_value
            for value in inferred
            if value.type.tensor_type.shape.dim
        }
        self._quantized: dict[str, list[tuple[str, str]]] = {}
        self._masks: dict[int, str] = {}
        self._shares: dict[str, str] = {}

    def build(self) -> onnx.ModelProto:
        rewrites: dict[str, Callable[[onnx.NodeProto], None]] = {
            "Gelu": self._gelu,
            "LayerNormalization": self._layer_norm,
            "MatMul": self._product,
            "Softmax": self._softmax,
        }
        for node in self._model.graph.node:
            rewrites.get(node.op_type, self.nodes.append)(node)
        rewritten = onnx.ModelProto()
        rewritten.CopyFrom(self._model)
        used = {name for node in self.nodes for name in node.input}
        unchanged = [tensor for tensor in self._model.graph.initializer if tensor.name in used]
        del rewritten.graph.node[:], rewritten.graph.initializer[:]
        rewritten.graph.node.extend(self.nodes)
        rewritten.graph.initializer.extend([*unchanged, *self.constants.values()])
        onnx.checker.check_model(rewritten)
        return rewritten

    def _product(self, node: onnx.NodeProto) -> None:
        """Rewrite a product with weights, of shares with values, or of queries with keys."""
        left, right = node.input
        if right in self._weights:
            self._linear(left, right, node.output[0])
        elif left in self._shares:
            self._mix(self._shares[left], right, node.output[0])
        else:
            self._scores(left, right, node.output[0])

    def _linear(self, hidden: str, name: str, result: str) -> None:
        """Add hidden @ weights: the products of blocks, added up in a fixed order."""
        weights = self._weights[name]
        if hidden not in self._quantized:
            self._quantized[hidden] = self._quantize(hidden, len(weights))
        blocks = self._quantized[hidden]
        products = [
            self._block_product(rows, f"{name}.{number}", levels, scale)
            for number, (rows, (levels, scale)) in enumerate(
                zip(np.split(weights, len(blocks)), blocks, strict=True)
            )
        ]
        total = reduce(partial(self.add, "Add"), products)
        outputs = weights.shape[1]
        shape = self.constant(f"join_{outputs}", [0, 0, outputs])
        self.add("Reshape", total, shape, result=result)

    def _block_product(
        self, weights: NDArray[np.float32], name: str, levels: str, scale: str
    ) -> str:
        """Multiply levels by levels in int32, then by the scale of each column and each row."""
        column_scales = np.maximum(np.abs(weights).max(axis=0), _MIN_PEAK) / np.float32(_LEVELS)
        weight_levels = np.rint(weights / column_scales).clip(-_LEVELS, _LEVELS) + _ZERO_LEVEL
        stored = self.constant(f"{name}.levels", weight_levels.astype(np.uint8))
        zero = self.constant("zero", np.uint8(_ZERO_LEVEL))
        product = self.add("MatMulInteger", levels, stored, zero, zero)
        product = self.add("Cast", product, to=TensorProto.FLOAT)
        product = self.add("Mul", product, self.constant(f"{name}.scale", column_scales))
        return self.add("Mul", product, scale)

    def _quantize(self, hidden: str, width: int) -> list[tuple[str, str]]:
        """Return each block's levels, uint8 [batch, tokens, 1, inputs], and scales."""
        count = math.gcd(width, _BLOCKS)
        shape = self.constant(f"cut_{width}", [0, 0, count, width // count])
        rounded, scale = self._round(self.add("Reshape", hidden, shape), _LEVELS, [-1])
        levels = self.add("Add", rounded, self._number(_ZERO_LEVEL))
        levels = self.add("Cast", levels, to=TensorProto.UINT8)
        return list(zip(self._split(levels, count), self._split(scale, count), strict=True))

    def _split(self, blocks: str, count: int) -> list[str]:
        parts = [f"{blocks}.{number}" for number in range(count)]
        self.nodes.append(
            helper.make_node(
                "Split", [blocks], parts, name=f"{blocks}.split", axis=2, num_outputs=count
            )
        )
        return parts

    def _scores(self, queries: str, keys: str, result: str) -> None:
        """Add scores = (query levels @ key levels) * query scale * key scale."""
        size = self._last_axis.get(queries)
        if not size:
            raise UnsupportedModelError(
                f"w8a8 cannot be made of a graph whose {result} has heads of unknown size"
            )
        # size * levels^2 is the largest sum of products.
        levels = math.isqrt(_MAX_EXACT // size)
        query, query_scale = self._round(queries, levels, [-1])
        key, key_scale = self._round(self._unpadded(keys, 2), levels, [-2, -1])
        scale = self.add("Mul", query_scale, key_scale)
        self.add("Mul", self.add("MatMul", query, key), scale, result=result)

    def _softmax(self, node: onnx.NodeProto) -> None:
        """Compute shares as integers, `_SHARE_LEVELS` for a share of 1; only `_mix` reads them.

        exp(x) is computed as (1 + x/64 + (x/64)^2/2)^64 = ((1 + (1 + x/64)^2) / 2)^64, which is
        2.3 % too large at x = -8, and zero from x = -64 on.
        """
        (scores,), (result,) = node.input, node.output
        # x: score - highest score, so never above 0
        below = self.add("Sub", scores, self._reduce("ReduceMax", scores, [-1]))
        # base: the larger of 1 + x/64 and 0
        base = self.add("Add", self.add("Mul", below, self._number(1 / 64)), self._number(1))
        base = self.add("Max", base, self._number(0))
        # power: (1 + base^2)^64, by six squarings
        power = self.add("Add", self.add("Mul", base, base), self._number(1))
        for _ in range(6):
            power = self.add("Mul", power, power)
        # exponential: levels * power / 2^64, rounded
        scaled = self.add("Mul", power, self._number(_EXPONENTIAL_LEVELS / 2**64))
        exponentials = self.add("Round", scaled)
        # share: exponential * levels / sum of exponentials, rounded
        total = self._reduce("ReduceSum", exponentials, [-1])
        share_scale = self.add("Div", self._number(_SHARE_LEVELS), total)
        shares = self.add("Mul", exponentials, share_scale)
        self._shares[result] = self.add("Round", shares)

    def _mix(self, shares: str, values: str, result: str) -> None:
        """Add mixed = (share levels @ value levels) * value scale / share levels."""
        rounded, scale = self._round(self._unpadded(values, 3), _VALUE_LEVELS, [-2])
        scale = self.add("Mul", scale, self._number(1 / _SHARE_LEVELS))
        self.add("Mul", self.add("MatMul", shares, rounded), scale, result=result)

    def _gelu(self, node: onnx.NodeProto) -> None:
        """GELU(x) = x * phi(x), phi(x) = 1/2 + x * P(x^2); see `_PHI`."""
        (x,), (result,) = node.input, node.output
        *coefficients, highest = _PHI[_attribute(node, "approximate", b"none").decode()]
        near = self.add("Clip", x, self._number(-_PHI_RANGE), self._number(_PHI_RANGE))
        square = self.add("Mul", near, near)
        # P(x^2) by Horner's rule
        polynomial = self._number(highest)
        for coefficient in reversed(coefficients):
            product = self.add("Mul", polynomial, square)
            polynomial = self.add("Add", product, self._number(coefficient))
        phi = self.add("Add", self.add("Mul", polynomial, near), self._number(0.5))
        self.add("Mul", phi, x, result=result)

    def _layer_norm(self, node: onnx.NodeProto) -> None:
        """Normalize with mean and variance of integers, exact in float64."""
        hidden, gain, bias = node.input
        width = self._number(self._weights[gain].size, np.float64)
        rounded, scale = self._round(hidden, _NORM_LEVELS, [-1])
        exact = self.add("Cast", rounded, to=TensorProto.DOUBLE)
        # variance: mean of squares - square of mean, both in levels
        mean = self.add("Div", self._reduce("ReduceSum", exact, [-1]), width)
        squares = self.add("Div", self._reduce("ReduceSumSquare", exact, [-1]), width)
        variance = self.add("Sub", squares, self.add("Mul", mean, mean))
        # epsilon in levels: epsilon / scale^2
        scale = self.add("Cast", scale, to=TensorProto.DOUBLE)
        epsilon = self._number(_attribute(node, "epsilon", 1e-5), np.float64)
        epsilon = self.add("Div", epsilon, self.add("Mul", scale, scale))
        # (rounded - mean) / sqrt(variance + epsilon), times gain, plus bias
        deviation = self.add("Sqrt", self.add("Add", variance, epsilon))
        inverse = self.add("Div", self._number(1, np.float64), deviation)
        inverse = self.add("Cast", inverse, to=TensorProto.FLOAT)
        centred = self.add("Sub", rounded, self.add("Cast", mean, to=TensorProto.FLOAT))
        scaled = self.add("Mul", self.add("Mul", centred, inverse), gain)
        self.add("Add", scaled, bias, result=node.output[0])

    def _round(self, states: str, levels: int, axes: Sequence[int]) -> tuple[str, str]:
        """Return integers from -levels to levels, and their scale, shared along the axes.

        rounded = round(states * levels / peak), scale = peak / levels
        """
        peak = self._reduce("ReduceMax", self.add("Abs", states), axes)
        peak = self.add("Max", peak, self._number(_MIN_PEAK))
        inverse = self.add("Div", self._number(levels), peak)
        rounded = self.add("Round", self.add("Mul", states, inverse))
        return rounded, self.add("Mul", peak, self._number(1 / levels))

    def _unpadded(self, states: str, axis: int) -> str:
        """Set states of padding to zero; `axis` and the heads are no axes of the mask."""
        if axis not in self._masks:
            axes = self.constant(f"mask_axes_{axis}", [1, axis])
            mask = self.add("Unsqueeze", "attention_mask", axes)
            self._masks[axis] = self.add("Cast", mask, to=TensorProto.FLOAT)
        return self.add("Mul", states, self._masks[axis])

    def _reduce(self, operator: str, states: str, axes: Sequence[int]) -> str:
        along = self.constant(f"axes{''.join(map(str, axes))}", axes)
        return self.add(operator, states, along, keepdims=1)

    def _number(self, value: float, dtype: type[np.floating[Any]] = np.float32) -> str:
        return self.constant(f"{dtype.__name__}_{value}", dtype(value))
