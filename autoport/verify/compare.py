"""How far two tensors are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

Size = tuple[int, ...]
# Larger numbers stand for infinity, in a mask for example.
LARGEST = 1e30


def absolute(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """The largest absolute difference; infinite if only one holds NaN, or one of them infinity."""
    if expected.shape != actual.shape:
        return math.inf
    if not expected.numel():
        return 0.0
    if not (expected.is_floating_point() or expected.is_complex()):
        expected, actual = expected.double(), actual.double()
    difference = float(torch.linalg.vector_norm(expected - actual, ord=math.inf))
    if math.isfinite(difference):
        return difference
    same = torch.isclose(expected, actual, rtol=0, atol=0, equal_nan=True)
    rest = (expected - actual)[~same].abs()
    return math.inf if not rest.isfinite().all() else float(rest.max()) if rest.numel() else 0.0


def spread(expected: torch.Tensor) -> float:
    """What an absolute difference is measured by: the standard deviation, or the size of a constant."""
    if not expected.numel():
        return 1.0
    values = expected.double()
    deviation, mean = (float(found) for found in torch.std_mean(values, correction=0))
    if not (math.isfinite(deviation) and deviation < LARGEST):
        values = values[values.abs() < LARGEST]
        return spread(values)
    return deviation if deviation > 1e-12 * abs(mean) else float(values.abs().max()) or 1.0


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
    """Compares two tensors."""
    difference = absolute(expected, actual)
    return Gap(difference, difference and difference / spread(expected))
