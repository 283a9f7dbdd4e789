from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twinvec.encoding.pooling import Pooling, normalize, pool, pooling_mode, quantize_embeddings

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


VECTORS = np.array([[-1, 0, 0.5, 1, -0.5, 0.25, 0, 2], [1] * 8, [-1] * 8], dtype=np.float32)


def test_binary_takes_the_sign_first_dimension_highest() -> None:
    bits = quantize_embeddings(VECTORS, "ubinary")
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[0b00110101], [255], [0]]  # zero is not above zero
    signed = quantize_embeddings(VECTORS, "binary")
    assert signed.dtype == np.int8
    assert signed.tolist() == [[0b00110101 - 128], [127], [-128]]


def test_int8_cuts_the_calibrated_range_into_steps() -> None:
    ranges = np.array([[0, -1, 5], [255, 1, 5]], dtype=np.float32)
    vectors = np.array([[7.9, -1, 5], [255, 0, 6], [300, 1.5, 4]], dtype=np.float32)
    levels = quantize_embeddings(vectors, "uint8", ranges)
    assert levels.dtype == np.uint8
    # Cut, not rounded; clipped, not wrapped around; where the range is nothing, steps of one.
    assert levels.tolist() == [[7, 0, 0], [255, 127, 1], [255, 255, 0]]
    signed = quantize_embeddings(vectors, "int8", ranges)
    assert signed.dtype == np.int8
    assert signed[:, 0].tolist() == [-120, 127, 127]


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_levels_are_those_of_sentence_transformers(precision: Any) -> None:
    """Its formula, which is defined for vectors within the ranges."""
    vectors = np.random.default_rng(0).standard_normal((50, 16), dtype=np.float32)
    ranges = np.vstack((vectors.min(axis=0), vectors.max(axis=0)))
    steps = (ranges[1] - ranges[0]) / 255
    levels = (vectors - ranges[0]) / steps
    expected = levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)
    assert np.array_equal(quantize_embeddings(vectors, precision, ranges), expected)


def test_lists_are_quantized_as_well() -> None:
    lists: Any = VECTORS.tolist()
    ranges: Any = [[-1.0] * 8, [1.0] * 8]
    precision: Any
    for precision in ("binary", "int8"):
        expected = quantize_embeddings(VECTORS, precision, np.array(ranges, np.float32))
        assert np.array_equal(quantize_embeddings(lists, precision, ranges), expected)


@pytest.mark.parametrize(
    ("shape", "precision", "message"),
    [
        ((2, 8), "int4", "unknown precision 'int4'; use one of: int8, uint8, binary, ubinary"),
        ((8,), "binary", r"must be \[n, dim\], not of shape \(8,\)"),
        ((2, 9), "ubinary", "ubinary needs a multiple of 8 dims, not 9"),
        ((2, 8), "int8", r"int8 needs ranges \[2, 8\]"),
    ],
)
def test_what_cannot_be_quantized(shape: tuple[int, ...], precision: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantize_embeddings(np.zeros(shape, np.float32), precision)
