"""The number that a float32 constant of a graph stands for.

TensorFlow stores `epsilon=1e-3` as 0.0010000000474974513. Run in float64 with that number, a graph would differ
from its counterpart by the rounding of its constants. So a float32 constant stands for the simplest number that rounds
to it: the shortest decimal (0.044715), a fraction of small whole numbers (1/255), a multiple of pi (2 pi), or the root
of a fraction (sqrt(1/2), sqrt(2/pi) for GELU). A number of seven or more digits that is none of these stays as it is.
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
# Two fractions with denominators up to 2**12 are at least 2**-24 apart: the spacing of float32 just below 1.
LARGEST_DENOMINATOR = 2**12
# A fraction counts if its numerator or its denominator is this small: few do, so a measured number hardly ever does.
SMALL_TERM = 16
# The same for what stands under a root or in front of pi: 1/n and 2/n, as in sqrt(2/pi), 1/sqrt(80) and 2 pi.
SMALL_TERM_OF_ROOT = 2
# float32 tells all decimals of six digits apart, and not all of seven.
DIGITS = 6
# Numbers to remember: graphs repeat their constants.
REMEMBERED = 4096


@lru_cache(maxsize=REMEMBERED)
def intended_number(number: float) -> float:
    """The number that a float32 stands for.

    Args:
        number: a value that float32 holds exactly.

    Example:
        >>> intended_number(0.0010000000474974513)
        0.001
    """
    if number == 0 or not math.isfinite(number) or number == int(number):
        return number
    decimal = float(f"{number:.{DIGITS}g}")
    if np.float32(decimal) == np.float32(number):
        return decimal
    for candidate in (_fraction(number), _multiple_of_pi(number), _root(number, 1.0), _root(number, math.pi)):
        if candidate is not None and np.float32(candidate) == np.float32(number):
            return candidate
    return number


def intended(value: Any) -> Any:
    """A hyper-parameter as verification takes it: a number that float32 holds exactly may stand for another one.

    Args:
        value: of any type.

    Example:
        >>> intended(0.0010000000474974513), intended(1e-7), intended("same")
        (0.001, 1e-07, 'same')
    """
    return intended_number(value) if isinstance(value, float) and float(np.float32(value)) == value else value


def _fraction(number: float) -> float | None:
    """A quotient whose numerator and denominator are both small, so that few numbers qualify."""
    fraction = Fraction(number).limit_denominator(LARGEST_DENOMINATOR)
    small = fraction.numerator != 0 and min(abs(fraction.numerator), fraction.denominator) <= SMALL_TERM
    return fraction.numerator / fraction.denominator if small else None


def _multiple_of_pi(number: float) -> float | None:
    """A small quotient times pi."""
    fraction = Fraction(number / math.pi).limit_denominator(LARGEST_DENOMINATOR)
    small = fraction.numerator != 0 and min(abs(fraction.numerator), fraction.denominator) <= SMALL_TERM_OF_ROOT
    return fraction.numerator / fraction.denominator * math.pi if small else None


def _root(number: float, unit: float) -> float | None:
    """The square root of a small quotient, or of one of pi."""
    square = Fraction(number * number * unit).limit_denominator(LARGEST_DENOMINATOR)
    small = square.numerator != 0 and min(square.numerator, square.denominator) <= SMALL_TERM_OF_ROOT
    return math.copysign(math.sqrt(square.numerator / square.denominator / unit), number) if small else None


def intended_numbers(array: NDArray[Any]) -> NDArray[np.float64]:
    """A float constant in float64; each element as the number that it stands for, if there are few."""
    wide = array.astype(np.float64)
    if array.dtype != np.float32 or array.size > MOST_ELEMENTS:
        return wide
    return np.array([intended_number(float(x)) for x in wide.flat], np.float64).reshape(wide.shape)
