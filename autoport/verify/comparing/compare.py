"""How far two tensors are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

# Larger numbers stand for infinity, as in a mask.
LARGEST = 1e30
# Numbers to compare at a time: they stay in the cache, and neither PyTorch nor its BLAS starts threads for them.
BLOCK = 2**15
# In units of the mean: one pass cannot tell a smaller deviation from its own rounding in float32 (2**-24 each).
SMALLEST_DEVIATION = 1e-6
# In units of the mean: two passes cannot tell a smaller deviation from rounding in float64 (2**-53 each).
DEVIATION_OF_CONSTANT = 1e-12


@dataclass(frozen=True)
class Gap:
    """How far two tensors are apart.

    Attributes:
        absolute: the largest absolute difference; infinite if the shapes do not fit.
        relative: the same in standard deviations of the expected values.
    """

    absolute: float
    relative: float


APART = Gap(math.inf, math.inf)


def gap(expected: torch.Tensor, actual: torch.Tensor) -> Gap:
    """How far two tensors are apart: infinitely, if only one holds NaN or a certain infinity."""
    if expected.shape != actual.shape:
        return APART
    if not expected.numel():
        return Gap(0.0, 0.0)
    if expected.dtype != actual.dtype or not (expected.is_floating_point() or expected.is_complex()):
        wide = torch.complex128 if expected.is_complex() or actual.is_complex() else torch.float64
        expected, actual = expected.to(wide), actual.to(wide)
    if not expected.is_complex():
        difference, deviation, mean = _in_blocks(expected.reshape(-1), actual.reshape(-1))
        if math.isfinite(difference) and deviation < LARGEST and deviation > SMALLEST_DEVIATION * abs(mean):
            return Gap(difference, difference / deviation)
    difference = _largest(expected, actual)
    return Gap(difference, difference and difference / _spread(expected))


def _in_blocks(expected: torch.Tensor, actual: torch.Tensor) -> tuple[float, float, float]:
    """The largest difference, standard deviation and mean; correct where all of them are finite."""
    start = expected[:BLOCK].mean()
    largest = first = second = 0.0
    for left, right in zip(expected.split(BLOCK), actual.split(BLOCK), strict=True):
        low, high = torch.aminmax(left - right)
        largest = max(largest, -float(low), float(high)) if math.isfinite(float(high)) else math.inf
        shifted = left - start
        first += float(shifted.sum())
        second += float(shifted.square_().sum())
    shift = first / expected.numel()
    return largest, math.sqrt(max(0.0, second / expected.numel() - shift**2)), float(start) + shift


def _largest(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """The largest difference of tensors that may hold anything."""
    same = torch.isclose(expected, actual, rtol=0, atol=0, equal_nan=True)
    rest = (expected - actual)[~same].abs()
    return math.inf if not rest.isfinite().all() else float(rest.max()) if rest.numel() else 0.0


def _spread(expected: torch.Tensor) -> float:
    """The unit of relative differences: the standard deviation, or the size of a constant."""
    if not expected.numel():
        return 1.0
    values = expected.abs().double() if expected.is_complex() else expected.double()
    deviation, mean = (float(moment) for moment in torch.std_mean(values, correction=0))
    if not (math.isfinite(deviation) and deviation < LARGEST):
        return _spread(values[values.abs() < LARGEST])
    return deviation if deviation > DEVIATION_OF_CONSTANT * abs(mean) else float(values.abs().max()) or 1.0
