"""Store weights small and compute in float32: `w8` and `w16`.

Only storage shrinks. The graph expands the weights by standard operators, which ONNX Runtime folds
when it loads the model, and then computes in float32. Runtimes therefore agree on these weights as
closely as on fp32 ones. Embedding tables stay small in memory too: only the rows that a text needs
are expanded.

`w8` rounds each 64 weights of a matrix's output channel, and each row of a table, to the 255 levels
of a float16 scale of their own. One scale per channel is 1.4 % smaller, but on all-MiniLM-L6-v2 the
lowest cosine to fp32 is then 0.9964 instead of 0.9993, that of the empty text, whose vector depends
on a few large activations.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from twinvec.model.dtypes import dtype_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_ELEMENTS = 4096  # below, scales and nodes would cost more than they save
_WEIGHTS_PER_SCALE = 64
_LEVELS = 127  # of int8, the same on both sides of zero


def make_weight_only(model: onnx.ModelProto, dtype: str) -> onnx.ModelProto:
    """Store a model's matrices and embedding tables as int8 or float16.

    Everything else, such as biases, stays float32.

    Args:
        model: any graph; its float32 initializers are stored small. It is not changed.
        dtype: `w8` or `w16`.

    Raises:
        ValueError: the dtype is unknown, or not made this way.
    """
    if dtype_facts(dtype).recipe != "weight_only":
        raise ValueError(f"weights are stored small as w8 and w16, not {dtype}")
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    uses = defaultdict(list)
    for node in graph.node:
        for position, name in enumerate(node.input):
            uses[name].append((node, position))
    initializers, expansions = [], []
    for tensor in graph.initializer:
        kind = _kind(tensor, uses[tensor.name])
        if kind is None:
            initializers.append(tensor)
        elif kind == "table":
            stored = _store(numpy_helper.to_array(tensor), tensor.name, dtype)
            initializers += stored
            for node, _ in uses[tensor.name]:
                expansions += _expand_rows(node, [part.name for part in stored])
                graph.node.remove(node)
        else:
            stored, nodes = _store_matrix(tensor, dtype)
            initializers += stored
            expansions += nodes
    nodes = [*expansions, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)
    onnx.checker.check_model(small)
    return small


def _kind(
    tensor: onnx.TensorProto, uses: list[tuple[onnx.NodeProto, int]]
) -> Literal["matrix", "table"] | None:
    """Distinguish a matrix of products from a table of rows; None for all other tensors."""
    if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    if np.prod(tensor.dims) < _MIN_ELEMENTS:
        return None
    inputs = {(node.op_type, position) for node, position in uses}
    if inputs == {("MatMul", 1)}:
        return "matrix"
    along_rows = all(attribute.i == 0 for node, _ in uses for attribute in node.attribute)
    return "table" if inputs == {("Gather", 0)} and along_rows else None


def _store_matrix(
    tensor: onnx.TensorProto, dtype: str
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Store a matrix in blocks; return its tensors, and the nodes that give the matrix back."""
    weights, name = numpy_helper.to_array(tensor), tensor.name
    stored = _store(_blocks(weights), name, dtype)
    nodes = _expand([part.name for part in stored], name + ".blocks")
    stored.append(_constant(np.array(weights.shape), name + ".shape"))
    nodes.append(helper.make_node("Reshape", [name + ".blocks", name + ".shape"], [name]))
    return stored, nodes


def _blocks(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut [inputs, outputs] into [blocks, inputs per block, outputs]."""
    inputs, outputs = matrix.shape
    size = _WEIGHTS_PER_SCALE if inputs % _WEIGHTS_PER_SCALE == 0 else inputs
    return matrix.reshape(-1, size, outputs)


def _store(weights: NDArray[np.float32], name: str, dtype: str) -> list[onnx.TensorProto]:
    """Return the tensors that represent weights; along axis 1 these share a scale."""
    if dtype == "w16":
        return [_constant(weights.astype(np.float16), name + ".w16")]
    peak = np.abs(weights).max(axis=1, keepdims=True)
    tiny = np.finfo(np.float16).smallest_subnormal
    scale = np.maximum((peak / _LEVELS).astype(np.float16), tiny)
    levels = np.rint(weights / scale.astype(np.float32)).clip(-_LEVELS, _LEVELS)
    return [_constant(levels.astype(np.int8), name + ".w8"), _constant(scale, name + ".scale")]


def _expand(names: list[str], result: str) -> list[onnx.NodeProto]:
    """Cast stored weights to float32, and multiply them by their scale if they have one."""
    casts = [name + ".float" for name in names] if len(names) > 1 else [result]
    nodes = [
        helper.make_node("Cast", [name], [cast], to=TensorProto.FLOAT)
        for name, cast in zip(names, casts, strict=True)
    ]
    return nodes if len(names) == 1 else [*nodes, helper.make_node("Mul", casts, [result])]


def _expand_rows(node: onnx.NodeProto, names: list[str]) -> list[onnx.NodeProto]:
    """Replace a Gather from a table: gather stored rows, and expand only these."""
    indices, result = node.input[1], node.output[0]
    rows = [f"{result}.{name}" for name in names]
    gathers = [
        helper.make_node("Gather", [name, indices], [row], axis=0)
        for name, row in zip(names, rows, strict=True)
    ]
    return [*gathers, *_expand(rows, result)]


def _constant(values: NDArray[Any], name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values), name)
