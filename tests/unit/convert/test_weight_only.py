from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # noqa: TID251 (how it folds is what is proved here)
import pytest

from twinvec import Embedder
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.convert.quality import QUALITY_TEXTS, lowest_cosine
from twinvec.convert.weight_only import make_weight_only

# Lowest cosine to fp32 over the quality set: measured 0.99938, 0.9999995 and 0.9943.
LOWEST = {"w8": 0.999, "w16": 0.99999, "w8a8": 0.992}
# Bytes of the file as a share of fp32's: measured 0.262, 0.505 and 0.262.
LARGEST = {"w8": 0.27, "w16": 0.51, "w8a8": 0.27}


def weights_of(dtype: str) -> Path:
    folder, info = find_model(EMBEDDED.name, dtype=dtype)
    return folder / info.weights[dtype]


@pytest.mark.parametrize("dtype", LOWEST)
def test_small_and_close(dtype: str) -> None:
    full, small = (Embedder.from_pretrained(EMBEDDED.name, dtype=name) for name in ("fp32", dtype))
    assert lowest_cosine(small.encode(QUALITY_TEXTS), full.encode(QUALITY_TEXTS)) >= LOWEST[dtype]
    assert full.fingerprint != small.fingerprint
    assert (full.parity, small.parity) == ("exact", "exact")
    assert weights_of(dtype).stat().st_size <= LARGEST[dtype] * weights_of("fp32").stat().st_size


@pytest.mark.parametrize("dtype", ["w8", "w16"])
def test_matrices_are_folded_and_tables_stay_small(dtype: str, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "folded.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(weights_of(dtype), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(tmp_path / "folded.onnx").graph
    full = onnx.load(weights_of("fp32")).graph
    products = [node.op_type for node in folded.node if node.op_type == "MatMul"]
    assert len(products) >= 36
    stored = {tensor.name: tensor.data_type for tensor in folded.initializer}
    for node in folded.node:
        if node.op_type == "MatMul" and node.input[1] in stored:
            assert stored[node.input[1]] == onnx.TensorProto.FLOAT
    assert sum(node.op_type == "Reshape" for node in folded.node) == sum(
        node.op_type == "Reshape" for node in full.node
    )  # none is left of the expansion
    (table,) = [tensor for tensor in folded.initializer if list(tensor.dims) == [30522, 384]]
    assert table.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.FLOAT16)


def test_the_input_model_is_unchanged() -> None:
    model = onnx.load(weights_of("fp32"))
    before = model.SerializeToString()
    make_weight_only(model, "w8")
    assert model.SerializeToString() == before


def test_zeros_and_odd_shapes() -> None:
    """Channels of zeros, and inputs that no block size divides."""
    weights = np.random.default_rng(0).standard_normal((100, 80)).astype(np.float32)
    weights[:, 3] = 0
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 100])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 80])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 20)]
    stored_small = make_weight_only(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), "w8"
    )
    session = ort.InferenceSession(
        stored_small.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expanded,) = session.run(None, {"x": np.eye(100, dtype=np.float32)})
    steps = np.abs(weights).max(axis=0) / 127
    assert np.all(np.abs(expanded - weights) <= 0.51 * steps + 1e-7)
