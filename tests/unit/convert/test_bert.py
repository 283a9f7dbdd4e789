"""A converted BERT computes the definition of BERT."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort  # noqa: TID251 (its output is what is proved here)
import pytest

from reference_bert import ReferenceBert
from synthetic import TINY, tiny_bert
from twinvec.convert.bert import bert_graph
from twinvec.errors import ModelError, UnsupportedModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LAYERS, HIDDEN = 2, TINY["hidden_size"]
WIDE, VOCAB, POSITIONS = TINY["intermediate_size"], TINY["vocab_size"], 64
PREFIXES = [f"encoder.layer.{layer}." for layer in range(LAYERS)]
# Measured 2.2e-6 at most, on values up to 2.9; the two GELUs differ by 5e-4 at least.
TOLERANCE = 6e-6


def inputs(lengths: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw rows of the lengths, padded on the right; both token types occur."""
    random = np.random.default_rng(11)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids = random.integers(1, VOCAB, mask.shape) * mask
    return ids, mask, random.integers(0, 2, mask.shape)


def run(graph: onnx.ModelProto, ids: Any, mask: Any, types: Any) -> NDArray[np.float32]:
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    output: NDArray[np.float32] = session.run(["last_hidden_state"], feeds)[0]
    return output


@pytest.mark.parametrize("lengths", [[1], [9], [POSITIONS], [12, 3, 1, 12]], ids=str)
@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "gelu_pytorch_tanh"])
def test_the_graph_computes_bert(lengths: list[int], hidden_act: str) -> None:
    weights, feeds = tiny_bert(), inputs(lengths)
    output = run(bert_graph({**TINY, "hidden_act": hidden_act}, weights), *feeds)
    expected = ReferenceBert(TINY, weights, tanh=hidden_act != "gelu")(*feeds)
    assert output.dtype == np.float32
    assert output.shape == (*feeds[0].shape, HIDDEN)
    assert np.abs(output - expected).max() <= TOLERANCE


def test_padding_changes_no_row() -> None:
    graph, feeds = bert_graph(TINY, tiny_bert()), inputs([5, 12])
    alone = run(graph, *(feed[:1, :5] for feed in feeds))
    together = run(graph, *feeds)
    assert np.abs(alone[0] - together[0, :5]).max() <= TOLERANCE


def test_names_of_other_exports_give_the_same_graph() -> None:
    """A checkpoint of a BERT with a head has a prefix; older ones hold the pooler and positions."""
    weights = tiny_bert()
    unused = {
        "pooler.dense.weight": np.ones((HIDDEN, HIDDEN), np.float32),
        "embeddings.position_ids": np.arange(POSITIONS, dtype=np.float32)[None],
    }
    plain = bert_graph(TINY, weights).SerializeToString()
    prefixed = {f"bert.{name}": tensor for name, tensor in (weights | unused).items()}
    head = {"cls.predictions.bias": np.ones(VOCAB, np.float32)}
    assert bert_graph(TINY, weights | unused).SerializeToString() == plain
    assert bert_graph(TINY, prefixed | head).SerializeToString() == plain


REFUSED = [
    ("model_type", "roberta"),
    ("model_type", None),
    ("hidden_act", "relu"),
    ("position_embedding_type", "relative_key"),
]


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_another_architecture_is_refused_by_name(key: str, value: str | None) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        bert_graph({**TINY, key: value}, tiny_bert())
    assert f"{key} {value!r}" in str(caught.value)


def test_a_tensor_without_a_place_is_refused_by_name() -> None:
    extra = "encoder.layer.2.output.dense.weight"
    with pytest.raises(UnsupportedModelError, match=extra):
        bert_graph(TINY, {**tiny_bert(), extra: np.ones((HIDDEN, WIDE), np.float32)})


def test_a_missing_tensor_is_named() -> None:
    for missing in tiny_bert():
        weights = tiny_bert()
        del weights[missing]
        with pytest.raises(ModelError, match=missing):
            bert_graph(TINY, weights)


def test_both_axes_are_dynamic() -> None:
    graph = bert_graph(TINY, tiny_bert()).graph
    free = ["batch_size", "sequence_length"]
    axes = {"input_ids": free, "attention_mask": free, "token_type_ids": free}
    axes["last_hidden_state"] = [*free, str(HIDDEN)]
    for value in (*graph.input, *graph.output):
        shape = value.type.tensor_type.shape.dim
        assert [axis.dim_param or str(axis.dim_value) for axis in shape] == axes.pop(value.name)
    assert not axes


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new"])
def test_onnx_runtime_keeps_or_fuses_every_norm_and_gelu(tmp_path: Path, hidden_act: str) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    graph = bert_graph({**TINY, "hidden_act": hidden_act}, tiny_bert())
    ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    count = Counter(node.op_type for node in nodes)
    assert count["LayerNormalization"] + count["SkipLayerNormalization"] == 2 * LAYERS + 1
    assert count["BiasGelu"] + count["FastGelu"] == LAYERS
    assert not {"Erf", "Tanh", "Pow", "ReduceMean", "Gelu"} & count.keys()
