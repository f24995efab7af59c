"""Two tables that hold the same numbers but for rounding, whatever the order of their axes and the copies in them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
# The largest relative rounding of a type.
FLOAT32, FLOAT64 = 2.0**-24, 2.0**-53
# How many roundings a number may have gone through. Frequencies and sines were made in float32 in many ways, with bases
# from 1e4 to 1e7 and up to 4096 positions: 2 were the most seen, 5 in angles. A base of 10001 for 10000 makes 50.
ROUNDINGS = 8
# Sines, also a little stretched, are at most as large.
LARGEST_SINE = 2.0
# Tables of more dimensions that are no copies are not turned.
MOST_AXES = 4

# So many numbers along each axis are looked at first; with more than this between them, in units of the largest number,
# two are not alike.
CORNER, ALIKE = 16, 0.01


class Fit(NamedTuple):
    """The numbers of one table, laid out as another one.

    Attributes:
        core: the numbers; where there are none, those of the other table.
        share: how many of the other table's numbers they are, at most 1.
    """

    core: Array
    share: float


@dataclass(frozen=True)
class Table:
    """Numbers that a graph computes from nothing.

    Attributes:
        array: the numbers.
    """

    array: Array

    @cached_property
    def _slices(self) -> tuple[Indices, ...]:
        """For each axis and each slice along it, the first slice with the same numbers."""
        return tuple(_first_copies(self.array, axis) for axis in range(self.array.ndim))

    @cached_property
    def _kept(self) -> Array:
        """The numbers without copies."""
        return np.array(self.array[np.ix_(*map(np.unique, self._slices))])

    @cached_property
    def core(self) -> Array:
        """The numbers without copies and without axes of size 1."""
        return self._kept.squeeze()

    @cached_property
    def in_float32(self) -> bool:
        """Whether float32 holds every number."""
        return bool(np.array_equal(self.array, self.array.astype(np.float32)))

    def with_core(self, core: Array) -> Array:
        """The array with other numbers, laid out in the same way."""
        places = (np.unique(slices, return_inverse=True)[1] for slices in self._slices)
        return np.array(core.reshape(self._kept.shape)[np.ix_(*places)])

    def fits(self, other: Table) -> Iterator[Fit]:
        """The core of another table with the numbers of this one, for every way to lay them out.

        Of two tables with rows, one may have more of them: those that both have are taken.
        """
        if self.core.ndim != other.core.ndim or self.core.ndim > MOST_AXES:
            return
        for order in itertools.permutations(range(self.core.ndim)):
            turned, like = self.core.transpose(order), other.core
            common = [min(sizes) for sizes in zip(turned.shape, like.shape, strict=True)]
            longer = sum(a != b for a, b in zip(turned.shape, like.shape, strict=True))
            rows = tuple(map(slice, common))
            if (longer == 0 or longer == 1 < like.ndim) and _near(turned[rows], like[rows]):
                filled = like.copy()
                filled[rows] = turned[rows]
                yield Fit(filled, math.prod(common) / like.size)


def _near(expected: Array, actual: Array) -> bool:
    """Whether the first numbers are alike, which is soon told: most tables are no partners."""
    corner = (slice(CORNER),) * expected.ndim
    with np.errstate(invalid="ignore"):
        return not (np.abs(expected[corner] - actual[corner]) > ALIKE * np.abs(expected).max()).any()


def _first_copies(array: Array, axis: int) -> Indices:
    """For each slice along an axis the first one with its numbers: one for all, for a half, or for a pair."""
    each = np.arange(array.shape[axis])
    half = len(each) // 2
    patterns = [each * 0] if len(each) % 2 else [each * 0, each % half, each - each % 2]
    return next((pattern for pattern in patterns if _same(array, pattern, each, axis)), each)


def _same(array: Array, places: Indices, others: Indices, axis: int) -> bool:
    """Whether slices hold the same numbers as others; the last ones tell mostly."""
    return all(
        np.array_equal(array.take(places[part], axis), array.take(others[part], axis))
        for part in (slice(-1, None), slice(None))
    )


def excess(expected: Array, actual: Array, unit: float) -> float:
    """The largest difference of two arrays, in units of what rounding may do there.

    An exponential's rounding grows with its exponent, and a sine's with its angle, which is at most the position along
    an axis.

    Args:
        expected: numbers.
        actual: others of the same shape.
        unit: of the type that was rounded to.
    """
    if np.array_equal(expected, actual):
        return 0.0
    with np.errstate(all="ignore"):
        size = np.abs(expected)
        allowed = size * (1 + np.abs(np.log(size, where=size > 0, out=np.zeros_like(size))))
        if expected.ndim > 1 and expected.min() < 0 and size.max() < LARGEST_SINE:
            positions = functools.reduce(np.maximum.outer, map(np.arange, expected.shape))
            allowed = np.maximum(allowed, size.max() * (1 + positions))
        apart = np.where(expected == actual, 0.0, np.abs(expected - actual) / (allowed * (ROUNDINGS * unit)))
    largest = float(apart.max(initial=0.0))
    return math.inf if math.isnan(largest) else largest
