"""w8a8's sums are exact, so that their order cannot matter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # noqa: TID251 (how it optimises is what is proved here)
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from synthetic import TINY, bert_weights
from twinvec.catalog.find import find_model
from twinvec.catalog.pins import EMBEDDED
from twinvec.convert.bert import bert_graph
from twinvec.convert.w8a8 import make_w8a8
from twinvec.errors import UnsupportedModelError

LEVELS = ort.GraphOptimizationLevel
# Lowest cosine of a token's state to fp32, on random weights; measured 0.9994.
LOWEST = 0.998

Feeds = dict[str, NDArray[np.int64]]


def feeds(lengths: list[int], vocabulary: int = 50) -> Feeds:
    """Draw rows of the lengths, padded on the right."""
    random = np.random.default_rng(5)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids = random.integers(1, vocabulary, mask.shape) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def session(
    model: onnx.ModelProto, level: Any = LEVELS.ORT_ENABLE_ALL, threads: int = 1
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = threads
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def states(opened: ort.InferenceSession, inputs: Feeds) -> NDArray[np.float32]:
    (hidden,) = opened.run(None, inputs)
    return np.asarray(hidden, np.float32)


def tiny(**changed: Any) -> onnx.ModelProto:
    """Draw weights wide enough that softmax and GELU matter, at every width."""
    config = {**TINY, **changed}
    return bert_graph(config, bert_weights(config, 1.7 / math.sqrt(config["hidden_size"])))


def of_the_embedded_model() -> onnx.ModelProto:
    folder, info = find_model(EMBEDDED.name, dtype="w8a8")
    return onnx.load(folder / info.weights["w8a8"])


def optimised(model: onnx.ModelProto, folder: Path) -> onnx.GraphProto:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx").graph


@pytest.mark.parametrize("level", [LEVELS.ORT_DISABLE_ALL, LEVELS.ORT_ENABLE_BASIC], ids=str)
@pytest.mark.parametrize("length", [2, 33, 256])
def test_no_optimisation_and_no_number_of_threads_changes_a_bit(length: int, level: Any) -> None:
    model, inputs = of_the_embedded_model(), feeds([length], vocabulary=30522)
    expected = states(session(model), inputs).tobytes()
    for threads in (1, 2, 3):
        assert states(session(model, level, threads), inputs).tobytes() == expected


def test_the_order_of_tokens_changes_no_bit() -> None:
    """Where all positions are alike, it is nothing but the order in which attention sums up."""
    config = {**TINY, "max_position_embeddings": 1024}
    weights = bert_weights(config, 0.3)
    weights["embeddings.position_embeddings.weight"][:] = 0
    opened = session(make_w8a8(bert_graph(config, weights)))
    inputs = feeds([1024])
    order = np.random.default_rng(3).permutation(1024)
    shuffled = {name: values[:, order] for name, values in inputs.items()}
    assert np.array_equal(states(opened, inputs)[:, order], states(opened, shuffled))


def test_a_row_may_have_no_tokens() -> None:
    assert states(session(make_w8a8(tiny())), feeds([0])).shape == (1, 0, 32)


@pytest.mark.parametrize("size", [8, 64])
def test_padding_changes_no_bit(size: int) -> None:
    model = tiny(hidden_size=2 * size, num_attention_heads=2)
    opened, together = session(make_w8a8(model)), feeds([5, 64, 1])
    hidden = states(opened, together)
    for row, length in enumerate((5, 64, 1)):
        alone = {name: values[row : row + 1, :length] for name, values in together.items()}
        assert states(opened, alone).tobytes() == hidden[row, :length].tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"num_attention_heads": 1},
        {"hidden_size": 128, "num_attention_heads": 2},
        {"hidden_size": 30, "num_attention_heads": 3, "intermediate_size": 45},
        {"hidden_act": "gelu_new"},
    ],
    ids=str,
)
def test_every_shape_comes_near_fp32(changed: dict[str, Any]) -> None:
    model, inputs = tiny(**changed), feeds([40, 3])
    exact, near = states(session(model), inputs), states(session(make_w8a8(model)), inputs)
    cosines = (exact * near).sum(-1) / np.linalg.norm(exact, axis=-1)
    cosines /= np.linalg.norm(near, axis=-1)
    assert cosines.min() >= LOWEST


def test_sums_are_of_integers_alone(tmp_path: Path) -> None:
    """Also in the graph that ONNX Runtime makes from this one, and nothing there is fused."""
    rewritten = of_the_embedded_model()
    optimal = optimised(rewritten, tmp_path)
    assert {node.op_type for node in optimal.node} <= {
        node.op_type for node in rewritten.graph.node
    }
    for graph in (rewritten.graph, optimal):
        producer = {name: node for node in graph.node for name in node.output}
        summed = [
            name
            for node in graph.node
            if node.op_type in ("MatMul", "ReduceSum", "ReduceSumSquare")
            for name in node.input[: 2 if node.op_type == "MatMul" else 1]
        ]
        assert len(summed) == 6 * (2 * 2 + 1) + 13 * 2
        for name in summed:
            node = producer[name]
            while node.op_type in ("Cast", "Transpose"):
                node = producer[node.input[0]]
            assert node.op_type == "Round"


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_the_one_asked_for(approximate: str) -> None:
    x = np.linspace(-10, 10, 4001, dtype=np.float32)[:, None]
    table = numpy_helper.from_array(np.zeros((1, 1), np.float32), "table")
    bounds = [
        numpy_helper.from_array(np.array([position]), f"at_{position}") for position in (0, 1)
    ]
    axes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "xy"]
    nodes = [
        helper.make_node("Slice", ["table", "at_0", "at_1"], ["positions"]),
        helper.make_node("Add", ["x", "positions"], ["sum"]),
        helper.make_node("Gelu", ["sum"], ["y"], approximate=approximate),
    ]
    graph = helper.make_graph(nodes, "gelu", axes[:1], axes[1:], [table, *bounds])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    (gelu,) = session(make_w8a8(model)).run(None, {"x": x})
    if approximate == "tanh":
        expected = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    else:
        expected = x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    assert np.abs(gelu - expected).max() <= 3.5e-4


def test_the_input_model_is_unchanged() -> None:
    model = tiny()
    before = model.SerializeToString()
    make_w8a8(model)
    assert model.SerializeToString() == before


def test_an_operator_is_refused_by_name() -> None:
    model = tiny()
    (gelu, *_) = (node for node in model.graph.node if node.op_type == "Gelu")
    gelu.op_type = "Erf"
    with pytest.raises(UnsupportedModelError, match=r"with Erf .*made of model\.safetensors"):
        make_w8a8(model)


def test_long_models_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="1025 positions: its sums are exact up to 102"):
        make_w8a8(tiny(max_position_embeddings=1025))
