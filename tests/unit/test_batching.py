from __future__ import annotations

import numpy as np
import pytest

from twinvec.batching import feeds, waves
from twinvec.tokenization import Encoding


def encoding(tokens: int) -> Encoding:
    ids = np.arange(tokens, dtype=np.int64)
    return Encoding(ids, np.zeros_like(ids), full_length=tokens)


def test_feeds_hold_what_the_model_asks_for() -> None:
    inputs = feeds(encoding(3), ["attention_mask", "input_ids"])
    assert list(inputs) == ["attention_mask", "input_ids"]
    assert inputs["input_ids"].tolist() == [[0, 1, 2]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1]]
    assert all(array.dtype == np.int64 for array in inputs.values())


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([4], [[4]]),
        ([4, 5, 2], [[4, 5], [2]]),
        ([99, 1, 99], [[99], [1], [99]]),
        ([5, 5, 5, 5, 1], [[5, 5], [5, 5], [1]]),
    ],
)
def test_waves_keep_order_and_budget(lengths: list[int], expected: list[list[int]]) -> None:
    cut = waves(map(encoding, lengths), max_tokens=10)
    assert [[len(one) for one in wave] for wave in cut] == expected
