"""Looks at the values of the places that nothing else explains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import torch

from autoport.graph import axes as ax
from autoport.graph.axes import Axis
from autoport.verify.comparing.outputs import Move, as_returned
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import NODE, Tap
from autoport.verify.explaining.mistakes.recognise import other_shape, recognise
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.lockstep import Values as BothValues
from autoport.verify.verification import Cause

# Places to look at: where more are unexplained, one mistake is not the reason.
MOST_PLACES = 32


def recognise_all(
    lockstep: Lockstep,
    taps: Sequence[Tap],
    regions: Regions,
    reads_input: Callable[[Tap], bool],
    unexplained: Sequence[Tap],
    diverging: Mapping[Tap, TapGap],
) -> dict[Tap, Cause]:
    """The mistakes at unexplained places, from one run."""
    looked_at = list(unexplained)[:MOST_PLACES]
    if not looked_at:
        return {}
    above = {parent for tap in looked_at for parent in regions.parents(tap)}
    kept = lockstep.values_at(taps, {*looked_at, *above})
    found: dict[Tap, Cause] = {}
    for tap in looked_at:
        if tap in kept and not kept[tap].actual.is_complex():
            sequences = [kept[parent].actual for parent in regions.parents(tap) if parent in kept]
            values = _values(tap, kept[tap], diverging[tap].tolerance, sequences, reads_input(tap))
            cause = recognise(values) or _inside(tap, values) or other_shape(values)
            if cause is not None:
                found[tap] = cause
    return found


def recognise_output(
    expected: torch.Tensor, actual: torch.Tensor, tolerance: float, moves: Collection[Move]
) -> Cause | None:
    """The mistake in what a model returns, in whatever layout a caller may expect it.

    Args:
        expected: the output of the Keras model.
        actual: that of the PyTorch model.
        tolerance: the largest relative difference that is rounding.
        moves: conventions in which inputs differ.
    """
    if expected.is_complex() or actual.is_complex():
        return None
    candidates = [candidate for candidate, _ in as_returned(expected, actual.shape, moves)] or [expected]
    found = (recognise(Values(candidate.double(), actual.double(), tolerance)) for candidate in candidates)
    return next((cause for cause in found if cause is not None), None)


def _sums(tap: Tap) -> bool:
    """Whether a tap shows a sum, of which the operands cannot be told apart."""
    return tap.kind == NODE and tap.places[0].operation == "add"


def _inside(tap: Tap, values: Values) -> Cause | None:
    """The mistake in one operand of a sum or of a concatenation."""
    return _in_an_operand(values) if _sums(tap) else _in_a_part(values)


def _in_a_part(values: Values) -> Cause | None:
    """The mistake in the only part along an axis that differs: an operand of a concatenation."""
    for axis in range(1, values.actual.dim() if values.same_shape else 0):
        apart = (values.expected - values.actual).abs() > values.limit
        places = apart.movedim(axis, 0).flatten(1).any(1).nonzero().flatten()
        first, size = int(places[0]) if len(places) else 0, len(places)
        if 1 < size < values.actual.shape[axis] and int(places[-1]) - first == size - 1:
            expected, actual = (value.narrow(axis, first, size) for value in (values.expected, values.actual))
            cause = recognise(replace(values, expected=expected, actual=actual, own=None))
            if cause is not None:
                return cause
    return None


def _in_an_operand(values: Values) -> Cause | None:
    """The mistake in one operand of a sum: both values without the other operand."""
    for other in values.sequences:
        if other.shape == values.actual.shape == values.expected.shape:
            apart = values.expected - other.double(), values.actual - other.double()
            cause = recognise(replace(values, expected=apart[0], actual=apart[1], own=None))
            if cause is not None:
                return cause
    return None


def _values(
    tap: Tap, kept: BothValues, tolerance: float, sequences: Sequence[torch.Tensor], reads_input: bool
) -> Values:
    arranged, actual, own = kept
    as_it_is = torch.from_numpy(own.copy()).double()
    expected = as_it_is if arranged is None else arranged.double()
    axes = tuple(ax.known_name(axis, ordered=True) for axis in tap.layouts.torch)
    groups = _groups(tap.layouts.tf), _groups(tap.layouts.torch)
    return Values(expected, actual.double(), tolerance, as_it_is, axes, groups, tuple(sequences), reads_input)


def _groups(axes: Sequence[Axis]) -> int:
    """The number of groups that channels were shuffled by: the inner one of the two parts of an axis."""
    parts = [ax.leaves(axis[0]) for axis in axes if len(axis) == 1]
    return next((atoms[-1].size for atoms in parts if len(atoms) == 2), 1)
