"""The two values of a place, and when they agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from autoport.verify.comparing.compare import gap

# In units of the spread: what two sums over the same numbers may differ by when they are added in another order.
ROUNDING_OF_SUMS = 1e-9


@dataclass(frozen=True)
class Values:
    """Two values of one place that differ.

    Attributes:
        expected: the Keras value in PyTorch's layout; in its own if no order of its axes is PyTorch's.
        actual: the PyTorch value.
        tolerance: the largest relative difference that is rounding.
        own: the Keras value in Keras' own layout.
        axes: names of the axes of the PyTorch value; None where an axis has none.
        groups: how many groups the channels were shuffled by on either side, as far as the structure tells.
        sequences: what the region reads that has a further axis, steps of a sequence, say.
        reads_input: whether the value is an input of the model, prepared.
    """

    expected: torch.Tensor
    actual: torch.Tensor
    tolerance: float
    own: torch.Tensor | None = None
    axes: tuple[str | None, ...] = ()
    groups: tuple[int, int] | None = None
    sequences: tuple[torch.Tensor, ...] = field(default=())
    reads_input: bool = False

    @property
    def exchanged(self) -> Values:
        """The same with the sides exchanged."""
        return replace(self, expected=self.actual, actual=self.expected)

    @property
    def same_shape(self) -> bool:
        """Whether both have one shape."""
        return bool(self.expected.shape == self.actual.shape)

    @cached_property
    def limit(self) -> float:
        """The largest absolute difference that is rounding."""
        deviation = float(self.expected.std(correction=0)) if self.expected.numel() else 0.0
        return max(self.tolerance, ROUNDING_OF_SUMS) * deviation

    @cached_property
    def same_numbers(self) -> bool:
        """Whether both may hold the same numbers, in whatever order."""
        if self.expected.numel() != self.actual.numel():
            return False
        moments = [torch.stack([*torch.aminmax(x), x.mean(), x.abs().mean()]) for x in (self.expected, self.actual)]
        apart = float((moments[0] - moments[1]).abs().max())
        return apart <= self.limit

    def agree(self, computed: torch.Tensor, other: torch.Tensor | None = None) -> bool:
        """Whether what was computed is the PyTorch value, or another one."""
        return bool(gap(computed, self.actual if other is None else other).relative <= self.tolerance)

    def axis(self, place: int) -> str | int:
        """An axis of the PyTorch value, by its name if it has one."""
        return (self.axes[place] if place < len(self.axes) else None) or place
