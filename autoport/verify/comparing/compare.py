"""How far two tensors are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

Size = tuple[int, ...]
# Larger numbers stand for infinity, in a mask for example.
LARGEST = 1e30
# Numbers that are compared at a time: they stay in the cache, and neither PyTorch nor its BLAS starts threads for them.
BLOCK = 2**15


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
    """Compares two tensors; infinitely far apart if only one holds NaN, or one of them infinity."""
    if expected.shape != actual.shape:
        return APART
    if not expected.numel():
        return Gap(0.0, 0.0)
    if not (expected.is_floating_point() or expected.is_complex()):
        expected, actual = expected.double(), actual.double()
    if not expected.is_complex():
        difference, deviation, mean = _in_blocks(expected.reshape(-1), actual.reshape(-1))
        if math.isfinite(difference) and deviation < LARGEST and deviation > 1e-6 * abs(mean):
            return Gap(difference, difference / deviation)
    difference = _largest(expected, actual)
    return Gap(difference, difference and difference / _spread(expected))


def _in_blocks(expected: torch.Tensor, actual: torch.Tensor) -> tuple[float, float, float]:
    """The largest difference, standard deviation and mean; correct where all of them are finite."""
    start = expected[:BLOCK].mean()
    largest = first = second = 0.0
    for mine, its in zip(expected.split(BLOCK), actual.split(BLOCK), strict=True):
        low, high = torch.aminmax(mine - its)
        largest = max(largest, -float(low), float(high)) if math.isfinite(float(high)) else math.inf
        moved = mine - start
        first += float(moved.sum())
        second += float(moved.square_().sum())
    shift = first / expected.numel()
    return largest, math.sqrt(max(0.0, second / expected.numel() - shift**2)), float(start) + shift


def _largest(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """The largest difference of tensors that may hold anything."""
    same = torch.isclose(expected, actual, rtol=0, atol=0, equal_nan=True)
    rest = (expected - actual)[~same].abs()
    return math.inf if not rest.isfinite().all() else float(rest.max()) if rest.numel() else 0.0


def _spread(expected: torch.Tensor) -> float:
    """What an absolute difference is measured by: the standard deviation, or the size of a constant."""
    if not expected.numel():
        return 1.0
    values = expected.abs().double() if expected.is_complex() else expected.double()
    deviation, mean = (float(found) for found in torch.std_mean(values, correction=0))
    if not (math.isfinite(deviation) and deviation < LARGEST):
        return _spread(values[values.abs() < LARGEST])
    return deviation if deviation > 1e-12 * abs(mean) else float(values.abs().max()) or 1.0
