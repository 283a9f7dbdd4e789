"""CPython's tokenizer core and session, and the errors of files that they cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import finish
from synthetic import write_tiny
from twinvec import InferenceError, ModelError, ModelNotFoundError
from twinvec.convert.folder import convert_folder
from twinvec.runtime.native import NativeSession, NativeTokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("native")
    return convert_folder(write_tiny(root / "source"), root / "tiny")


def feeds(session: NativeSession, *ids: int) -> dict[str, Any]:
    return dict.fromkeys(session.input_names, np.array([ids], np.int64) * 0) | {
        "input_ids": np.array([ids], np.int64),
        "attention_mask": np.ones((1, len(ids)), np.int64),
    }


def test_ids_have_no_special_tokens(folder: Path) -> None:
    tokenizer = NativeTokenizer(folder / "tokenizer.json")
    assert tokenizer.encode("").tolist() == []
    ids = tokenizer.encode("word1 word2")
    assert ids.shape == (2,)
    assert ids.dtype == np.int64


def test_a_tokenizer_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    with pytest.raises(ModelNotFoundError, match=r"tokenizer\.json is missing"):
        NativeTokenizer(file)
    file.write_text("<html>", encoding="utf-8")
    with pytest.raises(ModelError, match="is not valid JSON"):
        NativeTokenizer(file)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be read as a tokenizer"):
        NativeTokenizer(file)


def test_outputs_come_in_order_sync_and_async(folder: Path) -> None:
    session = NativeSession(folder / "onnx" / "model.onnx")
    runs = [feeds(session, *range(1, length)) for length in (9, 2, 5)]
    outputs = list(session.run(runs))
    assert [output.shape[:2] for output in outputs] == [(1, 8), (1, 1), (1, 4)]
    assert all(output.dtype == np.float32 for output in outputs)

    async def collect() -> list[Any]:
        return [output async for output in session.arun(runs)]

    for expected, output in zip(outputs, finish(collect()), strict=True):
        assert np.array_equal(output, expected)
    session.close()


def test_a_run_that_fails_and_a_closed_session(folder: Path) -> None:
    session = NativeSession(folder / "onnx" / "model.onnx")
    with pytest.raises(InferenceError, match="ONNX Runtime failed"):
        list(session.run([feeds(session, 10**9)]))
    session.close()
    session.close()
    with pytest.raises(InferenceError, match="was closed"):
        list(session.run([feeds(session, 1)]))


def test_weights_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"<html>")
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot load .*model\.onnx"):
        NativeSession(tmp_path / "model.onnx")
