"""Build an ONNX graph node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    import onnx


class GraphBuilder:
    """Nodes and constants of a graph under construction.

    ::

        >>> builder = GraphBuilder()
        >>> builder.add("Add", "x", builder.constant("half", np.float32(0.5)))
        'Add_0'
    """

    def __init__(self, prefix: str = "") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._prefix = prefix

    def add(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its only output."""
        result = result or f"{self._prefix}{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [result], name=result, **attributes))
        return result

    def constant(self, name: str, value: Any) -> str:
        """Add a constant unless the graph has it; return its name."""
        name = self._prefix + name
        if name not in self.constants:
            array = np.asarray(value, order="C")
            self.constants[name] = numpy_helper.from_array(array, name)
        return name
