"""The number that a float32 constant of a graph stands for.

TensorFlow stores `epsilon=1e-3` as 0.0010000000474974513. Taken as it is, a graph that runs in float64
would differ from its twin by the rounding of its constants. So a float32 constant is taken as the
simplest number that rounds to it: a fraction of small whole numbers (1/255), the root of one
(sqrt(1/2), sqrt(2/pi) for GELU), or the shortest decimal (0.044715). A number of seven or more digits
that is none of these stays as it is.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Constants with more elements are data, not numbers that somebody wrote down.
MOST_ELEMENTS = 16
LARGEST_DENOMINATOR = 4096
DIGITS = 6


@lru_cache(maxsize=4096)
def meant(number: float) -> float:
    """The number that a float32 stands for.

    Args:
        number: a value that float32 holds exactly.

    Example:
        >>> meant(0.0010000000474974513)
        0.001
    """
    if number == 0 or not math.isfinite(number) or number == int(number):
        return number
    decimal = float(f"{number:.{DIGITS}g}")
    if np.float32(decimal) == np.float32(number):
        return decimal
    for candidate in (_fraction(number), _root(number, 1.0), _root(number, math.pi)):
        if candidate is not None and np.float32(candidate) == np.float32(number):
            return candidate
    return number


def _fraction(number: float) -> float | None:
    """A quotient whose numerator and denominator are both small, so that few numbers qualify."""
    found = Fraction(number).limit_denominator(LARGEST_DENOMINATOR)
    small = found.numerator != 0 and min(abs(found.numerator), found.denominator) <= 16
    return found.numerator / found.denominator if small else None


def _root(number: float, unit: float) -> float | None:
    """The square root of a small quotient, or of one of pi."""
    found = Fraction(number * number * unit).limit_denominator(LARGEST_DENOMINATOR)
    small = found.numerator != 0 and min(found.numerator, found.denominator) <= 2
    return math.copysign(math.sqrt(found.numerator / found.denominator / unit), number) if small else None


def meant_array(array: NDArray[Any]) -> NDArray[np.float64]:
    """A float constant in float64, each element as what it stands for if there are few."""
    wide = array.astype(np.float64)
    if array.dtype != np.float32 or array.size > MOST_ELEMENTS:
        return wide
    return np.array([meant(float(x)) for x in wide.flat], np.float64).reshape(wide.shape)
