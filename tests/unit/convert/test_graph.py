"""Names in a graph are unique, and a constant is stored once."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from twinvec.convert.graph import GraphBuilder


def test_nodes_are_numbered_and_named_after_their_output() -> None:
    builder = GraphBuilder(prefix="mine/")
    first = builder.add("Add", "x", "y")
    last = builder.add("Mul", first, "x", result="z")
    assert (first, last) == ("mine/Add_0", "z")
    assert [(node.name, list(node.input), list(node.output)) for node in builder.nodes] == [
        ("mine/Add_0", ["x", "y"], ["mine/Add_0"]),
        ("z", ["mine/Add_0", "x"], ["z"]),
    ]


def test_a_constant_is_stored_once() -> None:
    builder = GraphBuilder(prefix="mine/")
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert builder.constant("matrix", matrix) == builder.constant("matrix", matrix) == "mine/matrix"
    assert list(builder.constants) == ["mine/matrix"]
    assert np.array_equal(numpy_helper.to_array(builder.constants["mine/matrix"]), matrix)
