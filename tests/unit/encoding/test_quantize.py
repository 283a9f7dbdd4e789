from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twinvec.encoding.quantize import quantize_embeddings

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
