"""Weights and activations of 8 bits, and the same bits on every runtime: `w8a8`.

Runtimes add up floats in different orders, so their sums are rounded differently; where sums are
quantised again, one flipped level grows from layer to layer; see `dynamic`.
Integers leave no such freedom. This graph adds up nothing but integers whose sums are exact, and
does all the rest to each number alone, by operators that IEEE 754 rounds correctly.

- Matrices: uint8 levels of weights and of activations, summed up in int32. Each is cut into 4
  blocks of inputs; a block of a row of activations, or of a column of weights, has its own scale.
- Attention: queries, keys, values and shares are integers, so few that float32 holds every sum of
  their products. Scales are per row, head or channel, and padding has no part in them: a text's
  states do not depend on the texts that share its run.
- Softmax and GELU: polynomials; the exponentials are integers, hence so is their sum.
- LayerNormalization: its input is rounded to 2^20 levels of the row's peak, whose sums and sums of
  squares float64 holds, in rows of up to 8192.

So the states are the same to the last bit in CPython on x86-64 and in Chromium's WebAssembly, and
on emulated processors with AVX2 or SSE4 at most. Weights are unsigned for that: kernels for AVX2
without VNNI saturate where they multiply uint8 by int8, and int8 weights gave other bits there.
Pooling and normalizing, in NumPy, might still differ; on 311 texts they did not.

Measured on all-MiniLM-L6-v2: lowest cosine to fp32 0.994 over `probes.PROBES`, of the empty text,
which lives in a few large activations. Without blocks it is 0.982, and the time in WebAssembly 0.6
instead of 0.7 of fp32's; with blocks of 64 inputs it is 0.997, but no time is saved. Asymmetric
levels of GELU's output, or twice as many of attention's shares, gained nothing beyond blocks.
"""

from __future__ import annotations

import math
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from twinvec.errors import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["check_w8a8", "make_w8a8"]

_EXACT = 2**24  # float32 holds every integer up to it
_POSITIONS = 1024  # tokens, at most
_BLOCKS = 4  # of a matrix's inputs
_LEVELS = 127  # of weights and activations, on each side of zero
_ZERO = 128  # where uint8 has its zero
_EXPONENTIALS = _EXACT // _POSITIONS  # of the largest score, so that a row's sum is exact
_SHARES = 2**13  # are a whole
# Levels of values. Rounding adds one half at most to each share, hence a row of them sums up to no
# more than this; times a value, that is the largest sum there is.
_VALUES = _EXACT // (_SHARES + _POSITIONS // 2)
_NORM = 2**20  # levels of what is normalised
_TINY = 1e-20  # instead of the peak of a row of zeros

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
"""What GELU multiplies x with is 1/2 + x times a polynomial of x^2, by `approximate`; its
coefficients, fitted on [-4, 4] for the lowest error of GELU on [-10, 10]: 1.9e-4 and 3.4e-4."""

_KEPT = {"Add", "Cast", "Div", "Gather", "Identity", "Mul", "Reshape", "Shape"} | {
    *("Slice", "Sub", "Transpose", "Unsqueeze")
}
_REWRITTEN = {"Gelu", "LayerNormalization", "MatMul", "Softmax"}


def make_w8a8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite a BERT encoder's graph to compute in integers.

    Embedding tables stay as they are.

    Args:
        model: a float32 graph as `bert.bert_graph` writes it; it is left as it is.

    Raises:
        UnsupportedModelError: see `check_w8a8`.
    """
    check_w8a8(model)
    return _FixedPoint(model).build()


def check_w8a8(model: onnx.ModelProto) -> None:
    """Refuse a graph that `make_w8a8` cannot rewrite.

    Raises:
        UnsupportedModelError: an operator is not one whose result is known to depend on no order of
            summation, here or once it is rewritten; or the model takes more than 1024 tokens.
    """
    for node in model.graph.node:
        if node.op_type not in _KEPT | _REWRITTEN:
            raise UnsupportedModelError(
                f"w8a8 cannot be made of a graph with {node.op_type} ({node.name}), which runtimes "
                "may round differently. It can be made of model.safetensors: twinvec convert "
                "writes another graph of it, in a folder that has no onnx/model.onnx"
            )
    sliced = {node.input[0] for node in model.graph.node if node.op_type == "Slice"}
    positions = [tensor.dims[0] for tensor in model.graph.initializer if tensor.name in sliced]
    if not positions or max(positions) > _POSITIONS:
        raise UnsupportedModelError(
            f"w8a8 cannot be made of a model with {max(positions, default='unknown')} positions: "
            f"its sums are exact up to {_POSITIONS} tokens; use w8"
        )


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    found = (helper.get_attribute_value(one) for one in node.attribute if one.name == name)
    return next(found, default)


class _FixedPoint:
    """Collects nodes and initializers; a method that adds some returns what they give.

    Shapes are those of BERT: hidden states [batch, tokens, width], queries and values
    [batch, heads, tokens, size], keys [batch, heads, size, tokens].
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._weights = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        inferred = shape_inference.infer_shapes(model).graph.value_info
        self._last_axis = {
            value.name: value.type.tensor_type.shape.dim[-1].dim_value
            for value in inferred
            if value.type.tensor_type.shape.dim
        }
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._blocks: dict[str, list[tuple[str, str]]] = {}
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
            rewrites.get(node.op_type, self._nodes.append)(node)
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._model.graph.initializer if tensor.name in used]
        del made.graph.node[:], made.graph.initializer[:]
        made.graph.node.extend(self._nodes)
        made.graph.initializer.extend([*kept, *self._constants.values()])
        onnx.checker.check_model(made)
        return made

    def _product(self, node: onnx.NodeProto) -> None:
        left, right = node.input
        if right in self._weights:
            self._linear(left, right, node.output[0])
        elif left in self._shares:
            self._mix(self._shares[left], right, node.output[0])
        else:
            self._scores(left, right, node.output[0])

    def _linear(self, hidden: str, name: str, result: str) -> None:
        """Sum up the products of blocks, always in the same order."""
        weights = self._weights[name]
        if hidden not in self._blocks:
            self._blocks[hidden] = self._quantize(hidden, len(weights))
        pairs = zip(np.split(weights, len(self._blocks[hidden])), self._blocks[hidden], strict=True)
        products = [
            self._block(part, f"{name}.{number}", *states)
            for number, (part, states) in enumerate(pairs)
        ]
        total = reduce(partial(self._add, "Add"), products)
        outputs = weights.shape[1]
        shape = self._constant(f"join_{outputs}", [0, 0, outputs])
        self._add("Reshape", total, shape, result=result)

    def _block(self, weights: NDArray[np.float32], name: str, states: str, scale: str) -> str:
        steps = np.maximum(np.abs(weights).max(axis=0), _TINY) / np.float32(_LEVELS)
        levels = np.rint(weights / steps).clip(-_LEVELS, _LEVELS) + _ZERO
        stored = self._constant(f"{name}.levels", levels.astype(np.uint8))
        zero = self._constant("zero", np.uint8(_ZERO))
        product = self._add("MatMulInteger", states, stored, zero, zero)
        product = self._add("Cast", product, to=TensorProto.FLOAT)
        product = self._add("Mul", product, self._constant(f"{name}.scale", steps))
        return self._add("Mul", product, scale)

    def _quantize(self, hidden: str, width: int) -> list[tuple[str, str]]:
        """Give each block's levels, uint8 [batch, tokens, 1, inputs], and scales."""
        count = math.gcd(width, _BLOCKS)
        shape = self._constant(f"cut_{width}", [0, 0, count, width // count])
        rounded, scale = self._round(self._add("Reshape", hidden, shape), _LEVELS, [-1])
        levels = self._add("Add", rounded, self._number(_ZERO))
        levels = self._add("Cast", levels, to=TensorProto.UINT8)
        pairs = zip(self._split(levels, count), self._split(scale, count), strict=True)
        return list(pairs)

    def _split(self, blocks: str, count: int) -> list[str]:
        parts = [f"{blocks}.{block}" for block in range(count)]
        self._nodes.append(
            helper.make_node(
                "Split", [blocks], parts, name=f"{blocks}.split", axis=2, num_outputs=count
            )
        )
        return parts

    def _scores(self, queries: str, keys: str, result: str) -> None:
        size = self._last_axis.get(queries)
        if not size:
            raise UnsupportedModelError(
                f"w8a8 cannot be made of a graph whose {result} has heads of unknown size"
            )
        levels = math.isqrt(_EXACT // size)
        query, query_scale = self._round(queries, levels, [-1])
        key, key_scale = self._round(self._unpadded(keys, 2), levels, [-2, -1])
        scale = self._add("Mul", query_scale, key_scale)
        self._add("Mul", self._add("MatMul", query, key), scale, result=result)

    def _softmax(self, node: onnx.NodeProto) -> None:
        """Make integers of which `_SHARES` are a whole, under a name that only `_mix` knows.

        exp(x) is taken as (1 + x/64 + (x/64)^2/2)^64 = ((1 + (1 + x/64)^2) / 2)^64, which is 2.3 %
        too large at x = -8, and from x = -64 on nothing.
        """
        (scores,), (result,) = node.input, node.output
        below = self._add("Sub", scores, self._reduce("ReduceMax", scores, [-1]))
        base = self._add("Add", self._add("Mul", below, self._number(1 / 64)), self._number(1))
        base = self._add("Max", base, self._number(0))
        power = self._add("Add", self._add("Mul", base, base), self._number(1))
        for _ in range(6):
            power = self._add("Mul", power, power)
        scaled = self._add("Mul", power, self._number(_EXPONENTIALS / 2**64))
        rounded = self._add("Round", scaled)
        total = self._reduce("ReduceSum", rounded, [-1])
        shares = self._add("Mul", rounded, self._add("Div", self._number(_SHARES), total))
        self._shares[result] = self._add("Round", shares)

    def _mix(self, shares: str, values: str, result: str) -> None:
        rounded, scale = self._round(self._unpadded(values, 3), _VALUES, [-2])
        scale = self._add("Mul", scale, self._number(1 / _SHARES))
        self._add("Mul", self._add("MatMul", shares, rounded), scale, result=result)

    def _gelu(self, node: onnx.NodeProto) -> None:
        (x,), (result,) = node.input, node.output
        lowest, *coefficients = _PHI[_attribute(node, "approximate", b"none").decode()]
        near = self._add("Clip", x, self._number(-_PHI_RANGE), self._number(_PHI_RANGE))
        square = self._add("Mul", near, near)
        phi = self._number(coefficients.pop())
        for coefficient in (*reversed(coefficients), lowest):
            phi = self._add("Add", self._add("Mul", phi, square), self._number(coefficient))
        phi = self._add("Add", self._add("Mul", phi, near), self._number(0.5))
        self._add("Mul", phi, x, result=result)

    def _layer_norm(self, node: onnx.NodeProto) -> None:
        """Take mean and variance of integers, in float64."""
        hidden, gain, bias = node.input
        width = self._number(self._weights[gain].size, np.float64)
        rounded, scale = self._round(hidden, _NORM, [-1])
        exact = self._add("Cast", rounded, to=TensorProto.DOUBLE)
        mean = self._add("Div", self._reduce("ReduceSum", exact, [-1]), width)
        squares = self._add("Div", self._reduce("ReduceSumSquare", exact, [-1]), width)
        variance = self._add("Sub", squares, self._add("Mul", mean, mean))
        scale = self._add("Cast", scale, to=TensorProto.DOUBLE)
        epsilon = self._number(_attribute(node, "epsilon", 1e-5), np.float64)
        epsilon = self._add("Div", epsilon, self._add("Mul", scale, scale))
        deviation = self._add("Sqrt", self._add("Add", variance, epsilon))
        inverse = self._add("Div", self._number(1, np.float64), deviation)
        inverse = self._add("Cast", inverse, to=TensorProto.FLOAT)
        centred = self._add("Sub", rounded, self._add("Cast", mean, to=TensorProto.FLOAT))
        scaled = self._add("Mul", self._add("Mul", centred, inverse), gain)
        self._add("Add", scaled, bias, result=node.output[0])

    def _round(self, states: str, levels: int, axes: Sequence[int]) -> tuple[str, str]:
        """Give integers from -levels to levels, and the scale, shared along the axes."""
        peak = self._reduce("ReduceMax", self._add("Abs", states), axes)
        peak = self._add("Max", peak, self._number(_TINY))
        inverse = self._add("Div", self._number(levels), peak)
        rounded = self._add("Round", self._add("Mul", states, inverse))
        return rounded, self._add("Mul", peak, self._number(1 / levels))

    def _unpadded(self, states: str, axis: int) -> str:
        """Write zeros where tokens are padding; heads and this axis are not along them."""
        if axis not in self._masks:
            axes = self._constant(f"mask_axes_{axis}", [1, axis])
            mask = self._add("Unsqueeze", "attention_mask", axes)
            self._masks[axis] = self._add("Cast", mask, to=TensorProto.FLOAT)
        return self._add("Mul", states, self._masks[axis])

    def _reduce(self, operator: str, states: str, axes: Sequence[int]) -> str:
        along = self._constant(f"axes{''.join(map(str, axes))}", axes)
        return self._add(operator, states, along, keepdims=1)

    def _number(self, value: float, dtype: type[np.floating[Any]] = np.float32) -> str:
        return self._constant(f"{dtype.__name__}_{value}", dtype(value))

    def _constant(self, name: str, value: NDArray[Any] | np.generic | Sequence[int]) -> str:
        name = f"w8a8/{name}"
        if name not in self._constants:
            array = np.asarray(value, order="C")
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def _add(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        result = result or f"w8a8/{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [result], name=result, **attributes))
        return result
