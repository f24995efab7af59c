"""How far two tensors are apart."""

from __future__ import annotations

import math

import torch

Size = tuple[int, ...]


def absolute(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """The largest absolute difference; infinite if only one holds NaN, or one of them infinity."""
    if expected.shape != actual.shape:
        return math.inf
    if not expected.numel():
        return 0.0
    if not (expected.is_floating_point() or expected.is_complex()):
        expected, actual = expected.double(), actual.double()
    difference = float((expected - actual).abs_().max())
    if math.isfinite(difference):
        return difference
    same = torch.isclose(expected, actual, rtol=0, atol=0, equal_nan=True)
    rest = (expected - actual)[~same].abs()
    return math.inf if not rest.isfinite().all() else float(rest.max()) if rest.numel() else 0.0


def spread(expected: torch.Tensor) -> float:
    """What an absolute difference is measured by: the standard deviation, or the size of a constant."""
    values = expected.double()
    values = values[values.isfinite() & (values.abs() < 1e30)] if not bool(values.isfinite().all()) else values
    if not values.numel():
        return 1.0
    deviation = float(values.std(correction=0))
    return deviation if deviation > 1e-12 * (largest := float(values.abs().max())) else largest or 1.0


def relative(expected: torch.Tensor, actual: torch.Tensor) -> float:
    """The largest absolute difference in standard deviations of the expected values."""
    difference = absolute(expected, actual)
    return difference and difference / spread(expected)
