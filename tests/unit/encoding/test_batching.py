from __future__ import annotations

import numpy as np

from twinvec.encoding.batching import feeds
from twinvec.encoding.tokenizer import Encoding


def encoding(tokens: int) -> Encoding:
    ids = np.arange(tokens, dtype=np.int64)
    return Encoding(ids, np.zeros_like(ids), full_length=tokens)


def test_feeds_hold_what_the_model_asks_for() -> None:
    inputs = feeds(encoding(3), ["attention_mask", "input_ids"])
    assert list(inputs) == ["attention_mask", "input_ids"]
    assert inputs["input_ids"].tolist() == [[0, 1, 2]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1]]
    assert all(array.dtype == np.int64 for array in inputs.values())
