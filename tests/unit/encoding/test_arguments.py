from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twinvec.encoding.arguments import float_array, whole_number


def test_numbers_become_float32() -> None:
    assert float_array([1, 2.5], "x").dtype == np.float32
    assert float_array([1e200], "x").tolist() == [np.inf]
    array = np.ones(3, np.float32)
    assert float_array(array, "x") is array


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (["a"], ValueError),
        ([[1], [2, 3]], ValueError),
        ([10**400], ValueError),
        ([None, {}], TypeError),
        (object(), TypeError),
    ],
)
def test_other_values_are_named(values: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^the query must be an array of numbers \("):
        float_array(values, "the query")


def test_whole_numbers() -> None:
    assert whole_number(3, "k") == whole_number(np.int64(3), "k") == 3
    assert whole_number(-1, "k", minimum=None) == -1
    for value in (True, 2.0, "3", None, np.True_, [1]):
        with pytest.raises(TypeError, match=r"^k must be a whole number, not \w+$"):
            whole_number(value, "k")
    with pytest.raises(ValueError, match=r"^k must be at least 1, not -2$"):
        whole_number(-2, "k")
