"""Smaller weights: `w8` and `w16`, with the arithmetic of full ones, and `w8a8`; see `fixed_point`.

In `w8` and `w16` only what is stored shrinks. The graph expands the weights by standard operators,
which ONNX Runtime folds when it loads the model, and then computes in float32; so the two runtimes
agree on these weights as closely as on fp32 ones. (Dynamically quantised weights such as q8 compute
in integers, and there they do not.) Embedding tables stay small in memory too: only the rows that a
text needs are expanded.

`w8` scales every 64 weights of an output channel by themselves. One scale a channel is 1.4 %
smaller, but measured on all-MiniLM-L6-v2 the lowest cosine to fp32 is then 0.9964 (of the empty
text, which lives in a few large activations) instead of 0.9993.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST = 4096  # elements; below, scales and nodes would cost more than they save
_BLOCK = 64  # weights that share a scale
_LEVELS = 127  # of int8, the same on both sides of zero


def make_weight_only(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    """Make one of our own dtypes of a float32 model.

    `w8` and `w16` store matrices and embedding tables as int8 or float16; `w8a8` has its own
    matrices, and the tables of `w8`.

    `w8` rounds each block of 64 weights of a matrix's output channel, and each row of a table, to
    the 255 levels of a float16 scale of its own. Everything else, such as biases, stays float32.

    Args:
        model: any graph whose weights are float32 initializers; it is left as it is.
        dtype: `w8`, `w16` or `w8a8`.

    Raises:
        UnsupportedModelError: `w8a8` cannot be made of this graph.
    """
    if dtype not in ("w8", "w16"):
        raise ValueError(f"weights can be stored as w8 or w16, not {dtype!r}")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    uses = defaultdict(list)
    for node in graph.node:
        for position, name in enumerate(node.input):
            uses[name].append((node, position))
    initializers, expansions = [], []
    for tensor in graph.initializer:
        place = _place(tensor, uses[tensor.name])
        if place is None:
            initializers.append(tensor)
            continue
        weights, name = numpy_helper.to_array(tensor), tensor.name
        if place == "table":
            stored = _store(weights, name, dtype, axis=1)
            for node, _ in uses[name]:
                expansions += _gather(node, [part.name for part in stored])
                graph.node.remove(node)
        else:
            stored = _store(_blocks(weights), name, dtype, axis=1)
            expansions += _expand([part.name for part in stored], name + ".blocks")
            stored.append(_constant(np.array(weights.shape), name + ".shape"))
            shaped = [name + ".blocks", name + ".shape"]
            expansions.append(helper.make_node("Reshape", shaped, [name]))
        initializers += stored
    nodes = [*expansions, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)
    onnx.checker.check_model(made)
    return made


def _place(tensor: onnx.TensorProto, uses: list[tuple[onnx.NodeProto, int]]) -> str | None:
    """Tell a matrix that is multiplied with from a table that rows are gathered of."""
    if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    if np.prod(tensor.dims) < _SMALLEST:
        return None
    kinds = {(node.op_type, position) for node, position in uses}
    if kinds == {("MatMul", 1)}:
        return "matrix"
    along_rows = all(attribute.i == 0 for node, _ in uses for attribute in node.attribute)
    return "table" if kinds == {("Gather", 0)} and along_rows else None


def _blocks(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut [inputs, outputs] into [blocks, inputs of a block, outputs]."""
    inputs, outputs = matrix.shape
    block = _BLOCK if inputs % _BLOCK == 0 else inputs
    return matrix.reshape(-1, block, outputs)


def _store(
    weights: NDArray[np.float32], name: str, dtype: str, axis: int
) -> list[onnx.TensorProto]:
    """Give the tensors that stand for the weights; along `axis` they share a scale."""
    if dtype == "w16":
        return [_constant(weights.astype(np.float16), name + ".w16")]
    peak = np.abs(weights).max(axis=axis, keepdims=True)
    tiny = np.finfo(np.float16).smallest_subnormal
    scale = np.maximum((peak / _LEVELS).astype(np.float16), tiny)
    levels = np.rint(weights / scale.astype(np.float32)).clip(-_LEVELS, _LEVELS)
    return [_constant(levels.astype(np.int8), name + ".w8"), _constant(scale, name + ".scale")]


def _expand(names: list[str], result: str) -> list[onnx.NodeProto]:
    """Cast what is stored to float32, and multiply it by its scale, if it has one."""
    casts = [name + ".float" for name in names] if len(names) > 1 else [result]
    nodes = [
        helper.make_node("Cast", [name], [cast], to=TensorProto.FLOAT)
        for name, cast in zip(names, casts, strict=True)
    ]
    return nodes if len(names) == 1 else [*nodes, helper.make_node("Mul", casts, [result])]


def _gather(node: onnx.NodeProto, names: list[str]) -> list[onnx.NodeProto]:
    """Gather first, expand the gathered rows only."""
    indices, result = node.input[1], node.output[0]
    rows = [f"{result}.{name}" for name in names]
    gathers = [
        helper.make_node("Gather", [name, indices], [row], axis=0)
        for name, row in zip(names, rows, strict=True)
    ]
    return [*gathers, *_expand(rows, result)]


def _constant(values: NDArray[Any], name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
