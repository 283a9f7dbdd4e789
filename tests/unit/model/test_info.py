"""Facts are read from a model folder; an incomplete folder is refused by the file's name."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from twinvec.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from twinvec.model.dtypes import DTYPES, onnx_path
from twinvec.model.info import ModelInfo

if TYPE_CHECKING:
    from pathlib import Path

NO_LIMIT = 10**30  # as tokenizer_config.json writes it
POOLING = "1_Pooling/config.json"
SENTENCE_BERT = "sentence_bert_config.json"


def write(folder: Path, files: dict[str, Any]) -> None:
    """Write each value as JSON, or as it is where it is bytes."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the smallest folder that is a model."""
    root = tmp_path / "tiny-bert"
    write(
        root,
        {
            "config.json": {"hidden_size": 32, "max_position_embeddings": 64},
            "tokenizer.json": {"model": {}},
            "tokenizer_config.json": {"model_max_length": NO_LIMIT},
            "onnx/model.onnx": b"weights",
        },
    )
    return root


def test_a_folder_gives_its_facts(folder: Path) -> None:
    info = ModelInfo.from_folder(folder, "fp32")
    assert (info.name, info.revision, info.query_prompt) == ("tiny-bert", None, "")
    assert (info.dim, info.max_length, info.pooling) == (32, 64, "mean")
    assert info.weights == {"fp32": "onnx/model.onnx"}
    assert list(info.files) == [
        "config.json",
        "onnx/model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    facts = {"bytes": len(b"weights"), "sha256": sha256(b"weights").hexdigest()}
    assert info.files["onnx/model.onnx"] == facts


def test_only_the_files_in_use_are_listed(folder: Path) -> None:
    used = {
        "special_tokens_map.json": {},
        SENTENCE_BERT: {},
        POOLING: {"pooling_mode_cls_token": True},
    }
    write(folder, {**used, "README.md": b"", "onnx/model_fp16.onnx": b"other weights"})
    info = ModelInfo.from_folder(folder, "fp32")
    assert used.keys() <= info.files.keys()
    assert not {"README.md", "onnx/model_fp16.onnx"} & info.files.keys()


def test_what_is_given_overrules_the_folder(folder: Path) -> None:
    write(folder, {POOLING: {"pooling_mode_cls_token": True}})
    info = ModelInfo.from_folder(
        folder,
        "fp32",
        name="owner/tiny",
        revision="abc",
        pooling="last_token",
        query_prompt="query: ",
        max_length=16,
    )
    assert (info.name, info.revision, info.query_prompt) == ("owner/tiny", "abc", "query: ")
    assert (info.max_length, info.pooling) == (16, "last_token")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 64, id="positions"),
        pytest.param({"tokenizer_config.json": {"model_max_length": 40}}, 40, id="tokenizer"),
        pytest.param({SENTENCE_BERT: {"max_seq_length": 24}}, 24, id="sentence-transformers"),
        pytest.param(
            {
                SENTENCE_BERT: {"max_seq_length": 24},
                "tokenizer_config.json": {"model_max_length": 20},
            },
            20,
            id="the smallest wins",
        ),
        pytest.param({SENTENCE_BERT: {"max_seq_length": 512}}, 64, id="never above positions"),
        pytest.param({SENTENCE_BERT: {"max_seq_length": None}}, 64, id="null is no limit"),
        pytest.param({"tokenizer_config.json": {}}, 64, id="absent is no limit"),
        pytest.param({"config.json": {"hidden_size": 32}}, 512, id="512 where nothing is said"),
        pytest.param(
            {"tokenizer_config.json": {"model_max_length": -1}}, 64, id="negative is no limit"
        ),
        pytest.param(
            {
                "config.json": {
                    "hidden_size": 32,
                    "model_type": "roberta",
                    "max_position_embeddings": 514,
                    "pad_token_id": 1,
                }
            },
            512,
            id="roberta counts positions from behind the padding",
        ),
    ],
)
def test_max_length_is_the_smallest_limit(
    folder: Path, files: dict[str, Any], expected: int
) -> None:
    write(folder, files)
    assert ModelInfo.from_folder(folder, "fp32").max_length == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_lasttoken", "last_token"),
    ],
)
def test_pooling_is_read_from_sentence_transformers(folder: Path, key: str, expected: str) -> None:
    others = {"pooling_mode_max_tokens": False, "word_embedding_dimension": 32}
    write(folder, {POOLING: {**others, key: True}})
    assert ModelInfo.from_folder(folder, "fp32").pooling == expected


@pytest.mark.parametrize(
    ("mode", "expected"), [("mean", "mean"), (["cls"], "cls"), ("lasttoken", "last_token")]
)
def test_pooling_is_read_as_newer_versions_write_it(
    folder: Path, mode: object, expected: str
) -> None:
    write(folder, {POOLING: {"embedding_dimension": 32, "pooling_mode": mode}})
    assert ModelInfo.from_folder(folder, "fp32").pooling == expected


def test_external_data_belong_to_the_weights(folder: Path) -> None:
    alone = ModelInfo.from_folder(folder, "fp32")
    assert alone.weights_sha256("fp32") == alone.files["onnx/model.onnx"]["sha256"]

    parts = {f"onnx/model.onnx_data{suffix}": b"" for suffix in ("", "_1", "_2", "_10")}
    others = [
        "model.onnx_data_x",
        "model.onnx_data.bak",
        "model_fp16.onnx_data",
        "amodel.onnx_data",
    ]
    write(folder, {**parts, **{f"onnx/{name}": b"" for name in others}})
    info = ModelInfo.from_folder(folder, "fp32")
    assert info.weights == alone.weights
    assert info.files.keys() - alone.files.keys() == parts.keys()
    digests = [info.files[path]["sha256"] for path in ("onnx/model.onnx", *parts)]
    assert info.weights_sha256("fp32") == sha256("".join(digests).encode()).hexdigest()


def test_other_external_data_are_refused_with_the_way_out(folder: Path) -> None:
    write(folder, {"onnx/model.onnx.data": b"weights"})
    with pytest.raises(UnsupportedModelError, match=r"onnx/model\.onnx\.data.*twinvec convert"):
        ModelInfo.from_folder(folder, "fp32")


@pytest.mark.parametrize(
    "modes",
    [
        ["pooling_mode_max_tokens"],
        ["pooling_mode_cls_token", "pooling_mode_mean_tokens"],
        [],
    ],
)
def test_other_pooling_is_refused_by_name(folder: Path, modes: list[str]) -> None:
    write(folder, {POOLING: {"word_embedding_dimension": 32, **dict.fromkeys(modes, True)}})
    with pytest.raises(ModelError) as caught:
        ModelInfo.from_folder(folder, "fp32")
    assert all(part in str(caught.value) for part in (*modes, str(folder / POOLING)))


@pytest.mark.parametrize("path", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_missing_file_is_named(folder: Path, path: str) -> None:
    (folder / path).unlink()
    with pytest.raises(ModelNotFoundError) as caught:
        ModelInfo.from_folder(folder, "fp32")
    assert str(folder / path) in str(caught.value)


@pytest.mark.parametrize("path", ["config.json", "tokenizer_config.json", SENTENCE_BERT, POOLING])
@pytest.mark.parametrize("content", [b"<!doctype html>", b'{"hidden_size": 32', b"\xff\xfe"])
def test_invalid_json_is_named(folder: Path, path: str, content: bytes) -> None:
    write(folder, {path: content})
    with pytest.raises(ModelError) as caught:
        ModelInfo.from_folder(folder, "fp32")
    assert f"{folder / path} is not " in str(caught.value)


def test_a_config_without_hidden_size_is_named(folder: Path) -> None:
    write(folder, {"config.json": {"model_type": "other"}})
    with pytest.raises(ModelError) as caught:
        ModelInfo.from_folder(folder, "fp32")
    assert all(part in str(caught.value) for part in (str(folder / "config.json"), "hidden_size"))


def test_an_unknown_dtype_is_refused_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(ValueError, match="'fp8'") as caught:
        ModelInfo.from_folder(folder, "fp8")
    assert all(name in str(caught.value) for name in DTYPES)


def test_an_absent_dtype_is_answered_with_the_present_ones(folder: Path) -> None:
    write(folder, {onnx_path("int8"): b""})
    with pytest.raises(ModelNotFoundError, match=r"has dtype fp32, int8$") as caught:
        ModelInfo.from_folder(folder, "q4")
    assert str(folder / "onnx/model_q4.onnx") in str(caught.value)


def test_a_folder_without_weights_says_so(folder: Path) -> None:
    (folder / "onnx/model.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match="no ONNX file under onnx/"):
        ModelInfo.from_folder(folder, "fp32")


def test_json_brings_the_same_facts_back(folder: Path) -> None:
    info = ModelInfo.from_folder(folder, "fp32", query_prompt="query: ")
    assert ModelInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


def test_references_are_called_probes_in_json(folder: Path) -> None:
    """A site's manifest and the page read this key."""
    block = {"texts": ["a"], "vectors": [[1.0] * 32]}
    write(folder, {"probes.json": {"fp32": block, "w8": {}}})
    entry = ModelInfo.from_folder(folder, "fp32").to_json()
    assert entry["probes"] == {"fp32": block}
    assert "references" not in entry


def test_weights_of_a_dtype_that_was_not_opened_have_no_hash(folder: Path) -> None:
    info = ModelInfo.from_folder(folder, "fp32")
    with pytest.raises(ModelNotFoundError, match="opened with dtype fp32, not w8"):
        info.weights_sha256("w8")


WRONG_TYPES: dict[str, Any] = {
    "config.json": [
        [],
        {"hidden_size": "32"},
        {"hidden_size": 0},
        {"hidden_size": -1},
        {"hidden_size": 10**9},
        {"hidden_size": True},
        {"hidden_size": 32, "max_position_embeddings": []},
        {"hidden_size": 32, "model_type": "mpnet", "pad_token_id": "1"},
    ],
    "tokenizer_config.json": ["text", {"model_max_length": "512"}, {"model_max_length": [1]}],
    SENTENCE_BERT: [None, {"max_seq_length": {}}],
    POOLING: [[], {"pooling_mode": 3}, {"pooling_mode": [["cls"]]}, {"pooling_mode": None}],
    "config_sentence_transformers.json": [{"prompts": []}, {"prompts": {"query": 3}}],
    "probes.json": [
        [],
        {"fp32": []},
        {"fp32": {"texts": ["a"]}},
        {"fp32": {"texts": [], "vectors": []}},
        {"fp32": {"texts": "a", "vectors": [[0.5] * 32]}},
        {"fp32": {"texts": [1], "vectors": [[0.5] * 32]}},
        {"fp32": {"texts": ["a"], "vectors": [[0.5] * 31]}},
        {"fp32": {"texts": ["a", "b"], "vectors": [[0.5] * 32]}},
        {"fp32": {"texts": ["a", "b"], "vectors": [[0.5] * 32, [0.5]]}},
        {"fp32": {"texts": ["a"], "vectors": [["0.5"] * 32]}},
        {"fp32": {"texts": ["a"], "vectors": [[float("nan")] * 32]}},
        {"fp32": {"texts": ["a"], "vectors": [[10**400] * 32]}},
    ],
}


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in WRONG_TYPES.items() for value in values]
)
def test_facts_of_the_wrong_type_are_named_with_their_file(
    folder: Path, path: str, value: Any
) -> None:
    write(folder, {path: value})
    with pytest.raises(ModelError, match=path.replace(".", r"\.")):
        ModelInfo.from_folder(folder, "fp32")
