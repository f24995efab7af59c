"""Both values of some places, from one teacher-forced run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from autoport.verify.comparing.taps import Tap
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.promote import Computed
from autoport.weights.algebra import Array

# The Keras value in PyTorch's layout, if there is one; the PyTorch value; the Keras value in its own layout.
Both = tuple[torch.Tensor | None, torch.Tensor, Array]


def values_at(lockstep: Lockstep, taps: Sequence[Tap], wanted: Collection[Tap]) -> dict[Tap, Both]:
    """Both values of the taps that were asked for and reached.

    Args:
        lockstep: both graphs.
        taps: all at which PyTorch goes on with the Keras value.
        wanted: those whose values are kept.
    """
    keeping = _Keeping(**{**vars(lockstep), "tick": lambda: None}, wanted=wanted)
    keeping.teacher_forced(taps)
    return keeping.found


@dataclass
class _Keeping(Lockstep):
    """Keeps the values that it compares."""

    wanted: Collection[Tap] = ()
    found: dict[Tap, Both] = field(default_factory=dict)

    def _compare(self, tap: Tap, expected: Computed, actual: object) -> tuple[TapGap, torch.Tensor | None]:
        tap_gap, arranged = super()._compare(tap, expected, actual)
        if tap in self.wanted and isinstance(actual, torch.Tensor):
            self.found[tap] = arranged, actual.clone(), np.asarray(expected.tensor.numpy())
        return tap_gap, arranged
