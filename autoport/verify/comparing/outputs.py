"""Outputs as the models return them: which belongs to which, and in what they differ for a caller.

Nothing is rearranged to fit. A few conventions are known: channels behind or in front of the other axes, steps in front
of the batch, axes of size 1. Outputs that differ in one of them hold the same where a caller sees which one it is: by
the shape, or because an input of the model was rearranged alike. Any other order of axes is another output.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch

from autoport.facts.reasons import Code, Reason
from autoport.verify.comparing.compare import APART, Gap, gap
from autoport.weights.algebra import Array


class Move(Enum):
    """A convention in which two frameworks lay out one tensor otherwise: from Keras to PyTorch."""

    CHANNELS_FIRST = "channels_first"
    CHANNELS_LAST = "channels_last"
    TIME_MAJOR = "time_major"

    def order(self, rank: int) -> tuple[int, ...]:
        """The order of the Keras axes that PyTorch has.

        Example:
            >>> Move.CHANNELS_FIRST.order(4)
            (0, 3, 1, 2)
        """
        rest = range(2, rank)
        if self is Move.CHANNELS_FIRST:
            return (0, rank - 1, *range(1, rank - 1))
        return (0, *rest, 1) if self is Move.CHANNELS_LAST else (1, 0, *rest)


# Outputs that are looked for in a stack: the keys and values of a cache are two.
MOST_PARTS = 4
LAYOUTS = {
    Move.CHANNELS_FIRST: ("channels_last", "channels_first"),
    Move.CHANNELS_LAST: ("channels_first", "channels_last"),
    Move.TIME_MAJOR: ("one order of batch and time", "the other"),
}


@dataclass(frozen=True)
class Returned:
    """An output of the Keras model, and what the PyTorch model returns for it.

    Attributes:
        number: its position among the outputs of the Keras model.
        partner: position of its counterpart; None if the PyTorch model does not return it.
        gap: how far they are apart as they are returned.
        tolerance: the largest relative difference that is rounding.
        layout: in which convention the layouts differ, if they do.
        invalid: how many elements are NaN, on either side.
        parts: positions of several PyTorch outputs that hold it together, in order; empty if one does.
    """

    number: int
    partner: int | None
    gap: Gap = APART
    tolerance: float = 0.0
    layout: Reason | None = None
    invalid: tuple[int, int] = (0, 0)
    parts: tuple[int, ...] = ()

    @property
    def partners(self) -> tuple[int, ...]:
        """Positions of all PyTorch outputs that hold something of it."""
        return self.parts or (() if self.partner is None else (self.partner,))

    @property
    def agrees(self) -> bool:
        """Whether a caller of either model gets the same numbers."""
        return self.gap.relative <= self.tolerance and not any(self.invalid)


def all_agree(returned: Iterable[Returned]) -> bool:
    """Whether a caller gets the same from both, of what both return."""
    return all(each.agrees for each in returned if each.partner is not None)


@dataclass(frozen=True)
class Results:
    """What both models return in one run, in order.

    Attributes:
        tf: outputs of the Keras model.
        torch: outputs of the PyTorch model.
        tolerances: for every output of the Keras model, the largest relative difference that is rounding.
        valid: for every step of the batch, whether it is no padding, where nobody reads what is returned; None if
            nothing is padded.
    """

    tf: Sequence[torch.Tensor]
    torch: Sequence[torch.Tensor]
    tolerances: Sequence[float]
    valid: Array | None = None


def moves_of(orders: Iterable[Sequence[int]]) -> frozenset[Move]:
    """The conventions in which inputs differ.

    Args:
        orders: for every input, the order of its Keras axes that PyTorch takes.
    """
    return frozenset(
        move for order in orders for move in Move if len(order) > 2 and tuple(order) == move.order(len(order))
    )


def pair_outputs(results: Results, structure: Mapping[int, int], moves: Collection[Move]) -> list[Returned]:
    """Every output of the Keras model with its counterpart: by structure if the values confirm it, otherwise by values.

    Args:
        results: what both return.
        structure: positions of PyTorch outputs by those of Keras outputs, as far as structure tells.
        moves: conventions in which inputs differ.
    """
    numbers = range(len(results.tf))
    by_structure = {k: _compared(results, k, structure[k], moves) for k in numbers if k in structure}
    found = {k: returned for k, returned in by_structure.items() if returned.agrees}
    for k in numbers:
        if k not in found:
            claimed = {partner for returned in found.values() for partner in returned.partners}
            others = sorted(range(len(results.torch)), key=lambda j: (j in claimed, j))
            agreeing = (r for r in (_compared(results, k, j, moves) for j in others) if r.agrees)
            best = next(agreeing, None) or _in_parts(results, k, others, moves)
            best = best or by_structure.get(k) or _at_the_same_place(results, k, claimed, moves)
            found[k] = best or Returned(k, None)
    return [found[k] for k in numbers]


def _in_parts(results: Results, k: int, others: Sequence[int], moves: Collection[Move]) -> Returned | None:
    """An output that stacks what PyTorch returns one by one (keys and values of a cache), or that is one of a stack."""
    expected, tolerance = results.tf[k], results.tolerances[k]
    if expected.dim() and 1 < len(expected) <= MOST_PARTS:
        parts = Results(list(expected), results.torch, [tolerance] * len(expected), results.valid)
        each = [
            next((r for j in others if (r := _compared(parts, n, j, moves)).agrees), None) for n in range(len(expected))
        ]
        whole = [r for r in each if r is not None]
        if len(whole) == len(each):
            places = tuple(r.partner for r in whole if r.partner is not None)
            worst = max((r.gap for r in whole), key=lambda gap: gap.relative)
            return Returned(k, places[0], worst, tolerance, Reason(Code.IN_PARTS), parts=places)
    stacks = [j for j in others if results.torch[j].dim() and 1 < len(results.torch[j]) <= MOST_PARTS]
    for j in (j for j in stacks if results.torch[j].numel() == expected.numel() * len(results.torch[j])):
        parts = Results([expected], list(results.torch[j]), [tolerance], results.valid)
        for n in range(len(results.torch[j])):
            part = _compared(parts, 0, n, moves)
            if part.agrees:
                return replace(part, number=k, partner=j, layout=Reason(Code.IN_STACK))
    return None


def _without_padding(value: torch.Tensor, valid: Array) -> torch.Tensor:
    """An output with zeros at padded steps, along every axis that may be the steps; its batch is one of two axes."""
    batch, steps = valid.shape
    first = next((axis for axis, size in enumerate(value.shape[:2]) if size == batch), None)
    if first is None:
        return value
    kept = torch.ones_like(value, dtype=torch.bool)
    for axis in (d for d, size in enumerate(value.shape) if size == steps and d != first):
        shape = [size if d in (first, axis) else 1 for d, size in enumerate(value.shape)]
        mask = torch.from_numpy((valid if first < axis else valid.T).copy())
        kept &= mask.reshape(shape)
    return torch.where(kept, value, torch.zeros((), dtype=value.dtype))


def _at_the_same_place(
    results: Results, k: int, claimed: Collection[int | None], moves: Collection[Move]
) -> Returned | None:
    """An output that nothing tells of is compared with the one at its place, if that belongs to no other."""
    return None if k in claimed or k >= len(results.torch) else _compared(results, k, k, moves)


def _compared(results: Results, number: int, partner: int, moves: Collection[Move]) -> Returned:
    expected, actual, tolerance = results.tf[number], results.torch[partner], results.tolerances[number]
    if expected.numel() != actual.numel():
        return Returned(number, partner, tolerance=tolerance)
    best, layout = APART, None
    for candidate, reason in as_returned(expected, actual.shape, moves):
        apart = gap(candidate, actual)
        if apart.relative > tolerance and results.valid is not None:
            apart = gap(*(_without_padding(value, results.valid) for value in (candidate, actual)))
        if apart.relative < best.relative or layout is None:
            best, layout = apart, reason
        if apart.relative <= tolerance:
            break
    invalid = _invalid(expected, results.valid), _invalid(actual, results.valid)
    return Returned(number, partner, best, tolerance, layout, invalid)


def _invalid(value: torch.Tensor, valid: Array | None) -> int:
    return int((value if valid is None else _without_padding(value, valid)).isnan().sum())


def as_returned(
    expected: torch.Tensor, shape: Sequence[int], moves: Collection[Move]
) -> Iterator[tuple[torch.Tensor, Reason | None]]:
    """The Keras value as it is, and in every convention that a caller can tell."""
    same = list(expected.shape) == list(shape)
    if same:
        yield expected, None
    for move in Move if expected.dim() > 2 else ():
        moved = expected.permute(move.order(expected.dim()))
        if list(moved.shape) == list(shape) and (not same or move in moves):
            tf, other = LAYOUTS[move]
            yield moved, Reason.of(Code.OTHER_LAYOUT, tf=tf, torch=other)
    if not same and _merges(expected.shape, shape):
        yield expected.reshape(tuple(shape)), Reason.of(Code.OTHER_SHAPE, tf=tuple(expected.shape), torch=tuple(shape))


def _merges(first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether neighbouring axes of one shape are merged in the other; no other reshaping keeps axes apart."""
    ends, others = ({*itertools.accumulate(shape, operator.mul)} for shape in (first, second))
    return ends <= others or others <= ends
