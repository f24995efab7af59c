"""What is taken out of a sequence: both directions of a recurrent layer at the last step, say."""

from __future__ import annotations

import torch

from autoport.facts.reasons import Code, Reason
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.verification import Cause


def other_steps(values: Values) -> Cause | None:
    """Whether both values stand in one sequence, and some features at other steps."""
    for sequence in values.sequences:
        for axis in range(1, sequence.ndim - 1):
            found = [_steps(value, sequence, axis, values) for value in (values.expected, values.actual)]
            if found[0] is not None and found[1] is not None and found[0] != found[1]:
                return _cause(*_runs(found[0], found[1]))
    return None


def within_sequence(values: Values) -> Cause | None:
    """Whether the Keras value stands in PyTorch's, which is a sequence."""
    for axis in range(1, values.actual.ndim - 1):
        steps = _steps(values.expected, values.actual, axis, values)
        if steps is not None:
            return _cause(_runs(steps, steps)[0], None)
    return None


def _cause(tf: tuple[int, ...], torch_: tuple[int, ...] | None) -> Cause:
    return Cause("last step", (tf, torch_), (Reason(Code.TAKEN_AT_STEPS),), confirmed=True)


def _steps(value: torch.Tensor, sequence: torch.Tensor, axis: int, values: Values) -> list[int] | None:
    """For each feature the step at which it stands in a sequence; None if one stands nowhere."""
    if [size for place, size in enumerate(sequence.shape) if place != axis] != list(value.shape):
        return None
    apart = (sequence - value.unsqueeze(axis)).abs().movedim(axis, 0)
    least, steps = apart.amax(tuple(range(1, apart.ndim - 1))).min(0)
    return [int(step) for step in steps] if bool((least <= values.limit).all()) else None


def _runs(first: list[int], second: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The steps of runs of features that stand at one step on either side."""
    pairs = list(zip(first, second, strict=True))
    runs = [pair for place, pair in enumerate(pairs) if not place or pairs[place - 1] != pair]
    return tuple(a for a, _ in runs), tuple(b for _, b in runs)
