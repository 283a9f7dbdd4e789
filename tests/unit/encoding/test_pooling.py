from __future__ import annotations

import numpy as np
import pytest

from twinvec.encoding.pooling import Pooling, normalize, pool, pooling_mode

STATES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mean", [4.5, 5.5, 6.5]), ("cls", [0, 1, 2]), ("last_token", [9, 10, 11])],
)
def test_poolings(mode: Pooling, expected: list[float]) -> None:
    pooled = pool(STATES, mode)
    assert pooled.dtype == np.float32
    assert pooled.tolist() == expected


@pytest.mark.parametrize("mode", ["mean", "cls", "last_token"])
def test_a_text_without_tokens_pools_to_zeros(mode: Pooling) -> None:
    pooled = pool(np.empty((0, 3), np.float32), mode)
    assert pooled.dtype == np.float32
    assert pooled.tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["mean", "cls", "last_token"])
def test_a_pooled_vector_does_not_keep_all_tokens_alive(mode: Pooling) -> None:
    assert pool(STATES, mode).base is None


def test_normalize_keeps_zero_vectors() -> None:
    unit = normalize(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert unit.dtype == np.float32
    assert np.allclose(unit, np.array([[0.6, 0.8], [0, 0]]))


def test_aliases_and_unknown_names() -> None:
    assert pooling_mode("first_token") == "cls"
    assert pooling_mode("eos") == "last_token"
    with pytest.raises(ValueError, match=r"unknown pooling 'max'; use one of: mean, cls"):
        pooling_mode("max")
    with pytest.raises(ValueError, match="use encode_tokens instead"):
        pooling_mode("none")


@pytest.mark.parametrize("size", [1e20, 3e38, 1e-20, 1e-38])
def test_vectors_of_any_length_become_unit_vectors(size: float) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((3, 384)).clip(-1, 1).astype(np.float32)
    unit = normalize(vectors)
    scaled = (vectors.astype(np.float64) * size).astype(np.float32)
    np.testing.assert_allclose(normalize(scaled), unit, atol=2e-7)
    # One such vector changes no bit of the others.
    mixed = np.concatenate([vectors, scaled, np.zeros((1, 384), np.float32)])
    np.testing.assert_array_equal(normalize(mixed)[:3], unit)
    np.testing.assert_array_equal(normalize(mixed)[-1], np.zeros(384))


def test_a_vector_that_is_not_finite_becomes_nan() -> None:
    assert np.isnan(normalize(np.array([np.inf, 1], np.float32))).any()
    assert np.isnan(normalize(np.array([np.nan, 1], np.float32))).all()
