"""Checks of arguments, whose messages name the argument."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def float_array(values: Any, name: str) -> NDArray[np.float32]:
    """Convert numbers to float32; those that it cannot hold become infinite.

    Raises:
        TypeError, ValueError: they are not numbers, or lists of unequal length.
    """
    try:
        with np.errstate(over="ignore"):
            return np.asarray(values, np.float32)
    except TypeError as err:
        raise TypeError(f"{name} must be an array of numbers ({err})") from err
    except (ValueError, OverflowError) as err:
        raise ValueError(f"{name} must be an array of numbers ({err})") from err


def whole_number(value: Any, name: str, *, minimum: int | None = 1) -> int:
    """Check that a value is a whole number, and at least `minimum` if that is given.

    Raises:
        TypeError: it is of another type, such as bool or float.
        ValueError: it is smaller.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {number}")
    return number
