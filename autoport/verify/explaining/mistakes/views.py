"""A `view` or `reshape` without the `permute` that belongs in front of it.

Then the numbers of one side, read in order, are those of the other with its axes in another order, as far as it is cut
into axes. Which axes those are is decoded from the numbers: the innermost axis of PyTorch's value steps through the
Keras value in one stride, the next one in another, and so on. Every stride is a product of sizes, so it divides their
number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from autoport.facts.reasons import Code, Reason, Several
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.verification import Cause

# Ways to go on that are looked at; equal numbers (zeros behind a ReLU) open several.
MOST_TRIED = 200
# Numbers, and blocks of them, that are compared before all are.
FIRST = 64

Digits = tuple[tuple[int, int], ...]


def viewed(values: Values) -> Cause | None:
    """Whether PyTorch's value is the Keras value, cut into axes that are in another order."""
    if not values.same_numbers:
        return None
    if values.own is None:
        return _viewed(values, values.expected)
    # What Keras' layout says in its own order, PyTorch's may have to say in another one.
    return _viewed(values, values.own) or _viewed(values, values.expected)


def _viewed(values: Values, expected: torch.Tensor) -> Cause | None:
    """Whether PyTorch's value is another one, cut into axes that are in another order."""
    search = _Search(expected.flatten(), values.actual.flatten(), values.limit)
    for digits in search.run(torch.zeros(1, dtype=torch.int64)):
        sizes, order = _axes(digits)
        if order == sorted(order):
            continue
        if values.agree(expected.reshape(sizes).permute(order).reshape(values.actual.shape)):
            reason = Reason.of(Code.VIEWED, sizes=Several(sizes), order=Several(order))
            return Cause("view without permute", reasons=(reason,), confirmed=True)
    return None


def _axes(digits: Digits) -> tuple[list[int], list[int]]:
    """The sizes of the axes of the Keras value, and their order in PyTorch's; digits are outermost first."""
    by_stride = sorted(range(len(digits)), key=lambda place: -digits[place][1])
    return [digits[place][0] for place in by_stride], [by_stride.index(place) for place in range(len(digits))]


@dataclass
class _Search:
    """Finds the size and the stride of every axis, innermost first."""

    expected: torch.Tensor
    actual: torch.Tensor
    limit: float
    tried: int = 0

    def run(self, offsets: torch.Tensor) -> Iterator[Digits]:
        """All ways on.

        Args:
            offsets: where in the Keras value the first numbers of PyTorch's stand.
        """
        total, block = len(self.actual), len(offsets)
        if block == total:
            yield ()
            return
        strides = _divisors(total)
        runs = {stride: self._run_length(offsets, stride) for stride in strides}
        sizes = _divisors(total // block)
        options = [(size, stride) for stride in strides for size in sizes if 2 <= size <= runs[stride]]
        for size, stride in sorted(options, reverse=True):
            self.tried += 1
            if self.tried > MOST_TRIED:
                return
            steps = torch.arange(size)[:, None] * stride
            for outer in self.run((steps + offsets).flatten()):
                if _complete(digits := (*outer, (size, stride)), total) or block > 1:
                    yield digits

    def _run_length(self, offsets: torch.Tensor, stride: int) -> int:
        """How many blocks PyTorch's value goes on in one stride."""
        block, total = len(offsets), len(self.actual)
        most = min(total // block, (total - 1 - int(offsets.max())) // stride + 1)
        if most < 2 or not self._same(block, offsets[:FIRST] + stride):
            return 1
        first = self._right_blocks(offsets, stride, min(most, FIRST))
        return self._right_blocks(offsets, stride, most) if first == FIRST < most else first

    def _right_blocks(self, offsets: torch.Tensor, stride: int, most: int) -> int:
        """How many of the first blocks are right."""
        block = len(offsets)
        places = (torch.arange(most)[:, None] * stride + offsets).flatten()
        wrong = ((self.expected[places] - self.actual[: most * block]).abs() > self.limit).view(most, block).any(1)
        return int(wrong.to(torch.int8).argmax()) if bool(wrong.any()) else most

    def _same(self, start: int, places: torch.Tensor) -> bool:
        actual = self.actual[start : start + len(places)]
        return bool(((self.expected[places] - actual).abs() <= self.limit).all())


def _complete(digits: Digits, total: int) -> bool:
    """Whether axes of those sizes and strides make up the whole value."""
    inner = 1
    for size, stride in sorted(digits, key=lambda digit: digit[1]):
        if stride != inner:
            return False
        inner *= size
    return inner == total


def _divisors(number: int) -> list[int]:
    small = [k for k in range(1, math.isqrt(number) + 1) if number % k == 0]
    return sorted({*small, *(number // k for k in small)})
