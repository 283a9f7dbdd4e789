"""The lowest cosine finds the worst text, and a zero vector only where both sides have it."""

from __future__ import annotations

import numpy as np
import pytest

from twinvec.convert.quality import QUALITY_TEXTS, lowest_cosine


def test_the_worst_row_counts() -> None:
    expected = np.array([[1, 0], [1, 0], [2, 0]], np.float32)
    vectors = np.array([[1, 0], [3, 4], [1, 0]], np.float32)
    assert lowest_cosine(vectors, expected) == pytest.approx(0.6)
    assert lowest_cosine(expected, expected) == 1


def test_a_text_without_tokens_is_equal_only_to_itself() -> None:
    zero, unit = np.zeros((1, 2), np.float32), np.array([[1, 0]], np.float32)
    assert lowest_cosine(zero, zero) == 1
    assert lowest_cosine(zero, unit) == 0


def test_a_difference_of_1e_7_is_seen() -> None:
    expected = np.array([[1, 0]], np.float32)
    assert 1e-8 < 1 - lowest_cosine(np.array([[1, 5e-4]], np.float32), expected) < 2e-7


def test_the_set_has_14_different_texts() -> None:
    assert len(set(QUALITY_TEXTS)) == 14
