"""The same numbers at other positions of the same axes: axes exchanged, flipped, rolled, channels in another order.

The positions along an axis are told by what each holds, whatever the order along the other axes: one number a position,
the mean of a function of all that is there. So the order along every axis is found by itself, and then they are applied
together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from autoport.facts.reasons import Code, Reason, Several
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.verification import Cause

# Axes whose positions are no channels.
PLACES = {"n", "t", "h", "w", "d"}
# Orders of axes to try: all of four axes.
MOST_ORDERS = 24
# Ways to roll an axis that are looked at; positions that hold the same open several.
MOST_ROLLS = 8
# Axes with more positions hold no channels that are shuffled.
MOST_CHANNELS = 4096
# Positions of a permutation to show.
MOST_SHOWN = 8


@dataclass(frozen=True)
class Motion:
    """Another order of the positions along an axis.

    Attributes:
        name: of the mistake; empty if nothing moved.
        places: for each position of the PyTorch value the one of the Keras value.
        code: what happened, with its operands.
        operands: of the reason.
        values: on either side, where that says more.
    """

    name: str
    places: torch.Tensor
    code: Code = Code.REORDERED
    operands: tuple[tuple[str, object], ...] = ()
    values: tuple[int, int] | None = None


def moved(values: Values) -> Cause | None:
    """Whether PyTorch's value holds the Keras numbers at other positions."""
    expected, actual = values.expected, values.actual
    if sorted(expected.shape) != sorted(actual.shape) or not values.same_numbers:
        return None
    before, after = (_signatures(x, values) for x in (expected, actual))
    orders = (o for o in itertools.permutations(range(expected.ndim)) if _shape(expected, o) == actual.shape)
    for order in itertools.islice(orders, MOST_ORDERS):
        found = [_motion(before[axis], after[place], place, values) for place, axis in enumerate(order)]
        motions = [motion for motion in found if motion is not None]
        if len(motions) < len(found):
            continue
        computed = expected.permute(order)
        for place, motion in enumerate(motions):
            computed = computed.index_select(place, motion.places) if motion.name else computed
        if values.agree(computed):
            return _cause(order, motions, values)
    return None


def _shape(tensor: torch.Tensor, order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(tensor.shape[axis] for axis in order)


def _signatures(tensor: torch.Tensor, values: Values) -> list[torch.Tensor]:
    """For every axis, one number for each of its positions that no order along other axes changes."""
    scale = float(values.expected.std(correction=0)) or 1.0
    seen = torch.cos(tensor / scale + 1)
    return [seen.movedim(axis, 0).flatten(1).mean(1) for axis in range(tensor.ndim)]


def _motion(before: torch.Tensor, after: torch.Tensor, axis: int, values: Values) -> Motion | None:
    """What makes the positions of one side those of the other; the simplest comes first."""
    for motion in _motions(before, after, axis, values):
        if _close(before[motion.places], after, values):
            return motion
    return None


def _close(first: torch.Tensor, second: torch.Tensor, values: Values) -> bool:
    return bool(((first - second).abs() <= _limit(values)).all())


def _limit(values: Values) -> float:
    """How far numbers for one position may be apart; what they suggest is computed afterwards."""
    return max(values.tolerance, float(torch.finfo(torch.float32).eps))


def _motions(before: torch.Tensor, after: torch.Tensor, axis: int, values: Values) -> Iterator[Motion]:
    size, name = len(before), values.axis(axis)
    here = torch.arange(size)
    yield Motion("", here)
    yield Motion("flip", here.flip(0), Code.FLIPPED, (("axis", name),))
    anchor = int(before.argmax())
    for place in ((after - before[anchor]).abs() <= _limit(values)).nonzero().flatten()[:MOST_ROLLS].tolist():
        steps = (place - anchor) % size
        signed = steps if steps <= size // 2 else steps - size
        yield Motion("roll", here.roll(steps), Code.ROLLED, (("axis", name), ("steps", signed)))
    if name not in PLACES and size <= MOST_CHANNELS:
        yield from _shuffles(size, name, values)
    places = torch.empty_like(here)
    places[after.argsort()] = before.argsort()
    shown = Several([*places[:MOST_SHOWN].tolist(), *(["..."] if size > MOST_SHOWN else [])])
    order = "order" if name in PLACES else "channel order"
    yield Motion(order, places, Code.REORDERED, (("axis", name), ("places", shown)))


def _shuffles(size: int, name: str | int, values: Values) -> Iterator[Motion]:
    """Channel shuffles by different numbers of groups; what the structure tells comes first."""
    divisors = [groups for groups in range(1, size) if size % groups == 0]
    pairs = [(a, b) for a, b in itertools.product(divisors, divisors) if a != b]
    known = [values.groups] if values.groups in pairs else []
    for tf, torch_ in (*known, *sorted(pairs, key=sum)):
        places = _shuffled(size, tf).argsort()[_shuffled(size, torch_)]
        yield Motion("shuffle groups", places, Code.SHUFFLED, (("axis", name),), (tf, torch_))


def _shuffled(size: int, groups: int) -> torch.Tensor:
    return torch.arange(size).reshape(groups, -1).T.flatten()


def _cause(order: tuple[int, ...], motions: list[Motion], values: Values) -> Cause:
    reasons = [Reason(motion.code, motion.operands) for motion in motions if motion.name and motion.code is not None]
    names = [motion.name for motion in motions if motion.name]
    stated = [motion.values for motion in motions if motion.values is not None]
    if order != tuple(range(len(order))):
        reasons.insert(0, Reason.of(Code.TRANSPOSED, order=Several(order)))
        names.insert(0, "axes exchanged")
    return Cause(names[0], stated[0] if len(names) == 1 and stated else None, tuple(reasons), confirmed=True)


def shifted(values: Values) -> Cause | None:
    """Whether PyTorch's value is the Keras value, further along one axis; at the border stands something else."""
    if not values.same_shape:
        return None
    before, after = (_signatures(x, values) for x in (values.expected, values.actual))
    for axis, size in enumerate(values.actual.shape):
        name = values.axis(axis)
        if isinstance(name, str) and not PLACES & set(name):  # channels that stand there twice have not moved
            continue
        for steps in (sign * far for far in range(1, (size + 1) // 2) for sign in (1, -1)):
            kept = size - abs(steps)
            source, target = max(-steps, 0), max(steps, 0)
            if not _close(before[axis][source : source + kept], after[axis][target : target + kept], values):
                continue
            parts = values.expected.narrow(axis, source, kept), values.actual.narrow(axis, target, kept)
            if values.agree(*parts):
                reason = Reason.of(Code.SHIFTED, axis=name, steps=steps)
                return Cause("shift", reasons=(reason,), confirmed=True)
    return None
