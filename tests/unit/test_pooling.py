from __future__ import annotations

import numpy as np
import pytest

from twinvec.pooling import Pooling, normalize, pool, pooling_mode

HIDDEN = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=np.int64)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [[4.5, 5.5, 6.5], [13.5, 14.5, 15.5]]),
        ("cls", [[0, 1, 2], [12, 13, 14]]),
        ("last_token", [[9, 10, 11], [15, 16, 17]]),
    ],
)
def test_padding_is_ignored(mode: Pooling, expected: list[list[float]]) -> None:
    pooled = pool(HIDDEN, MASK, mode)
    assert isinstance(pooled, np.ndarray)
    assert pooled.dtype == np.float32
    assert pooled.tolist() == expected


def test_none_gives_each_row_its_own_tokens() -> None:
    rows = pool(HIDDEN, MASK, "none")
    assert [row.tolist() for row in rows] == [HIDDEN[0].tolist(), HIDDEN[1, :2].tolist()]


def test_a_row_without_tokens_pools_to_zeros() -> None:
    assert not np.any(pool(HIDDEN, np.zeros_like(MASK), "mean"))


def test_no_tokens_at_all() -> None:
    nothing, mask = np.empty((1, 0, 3), np.float32), np.empty((1, 0), np.int64)
    for mode in ("mean", "cls", "last_token"):
        assert np.array_equal(pool(nothing, mask, pooling_mode(mode)), np.zeros((1, 3)))


def test_a_pooled_row_does_not_keep_all_tokens_alive() -> None:
    pooled = pool(HIDDEN, MASK, "cls")
    assert isinstance(pooled, np.ndarray)
    assert pooled.base is None


def test_normalize_keeps_zero_vectors() -> None:
    unit = normalize(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert unit.dtype == np.float32
    assert np.allclose(unit, np.array([[0.6, 0.8], [0, 0]]))


def test_aliases_and_unknown_names() -> None:
    assert pooling_mode("first_token") == "cls"
    assert pooling_mode("eos") == "last_token"
    with pytest.raises(ValueError, match=r"unknown pooling 'max'; use one of: mean, cls"):
        pooling_mode("max")
