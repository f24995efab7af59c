"""The mistakes that are looked for, in order: what changes least comes first."""

from __future__ import annotations

from collections.abc import Callable

import torch

from autoport.facts.reasons import Code, Reason
from autoport.verify.explaining.mistakes.computed import cast, not_finite, probabilities, scaled, scaled_by_channel
from autoport.verify.explaining.mistakes.moved import moved, shifted
from autoport.verify.explaining.mistakes.steps import other_steps, within_sequence
from autoport.verify.explaining.mistakes.values import Values
from autoport.verify.explaining.mistakes.views import viewed
from autoport.verify.verification import Cause

OTHER_SHAPE = "other shape"
MISTAKES: tuple[Callable[[Values], Cause | None], ...] = (
    scaled,
    moved,
    viewed,
    shifted,
    cast,
    probabilities,
    scaled_by_channel,
    other_steps,
    within_sequence,
)


def recognise(values: Values) -> Cause | None:
    """The mistake that makes PyTorch's value of the Keras value; None if it is none of those that are known.

    Args:
        values: both values of a place, and what lies around it.

    Returns:
        A confirmed cause: computed so, one value is the other.

    Example:
        >>> keras_value = torch.randn(2, 8, 6, 6, dtype=torch.float64)
        >>> recognise(Values(keras_value, keras_value.flip(2), 1e-9)).name
        'flip'
    """
    missing = not_finite(values)
    if missing is not None:
        return missing
    if not _tells(values.expected) or not _tells(values.actual):
        return None
    return next((cause for find in MISTAKES if (cause := find(values)) is not None), None)


def _tells(tensor: torch.Tensor) -> bool:
    """Whether a value holds different numbers, and nothing but numbers."""
    return bool(tensor.numel() and tensor.isfinite().all() and tensor.std(correction=0) > 0)


def other_shape(values: Values) -> Cause | None:
    """Sizes that do not fit, whatever the order of the axes."""
    shapes = tuple(values.expected.shape), tuple(values.actual.shape)
    if sorted(shapes[0]) == sorted(shapes[1]):
        return None
    return Cause(OTHER_SHAPE, shapes, (Reason(Code.SIZES_DIFFER),), confirmed=True)
