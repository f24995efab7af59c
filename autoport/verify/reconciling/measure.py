"""Whether changes bring the models closer: weights that can be carried over, and outputs end to end."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from autoport.errors import VerificationError
from autoport.facts.framework import Framework
from autoport.verify.running.draws import Draws
from autoport.verify.running.promote import Computed
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.verify.trial import Trial

if TYPE_CHECKING:
    from autoport.analysis import Analysis

RTOL = 1e-9
# Where something large is left, the errors of outputs vary by themselves.
LARGER = 1.5


class State(NamedTuple):
    """Both models as they are at some time.

    Attributes:
        analysis: what they have in common.
        readings: how they were read.
    """

    analysis: Analysis
    readings: Readings

    @property
    def lost(self) -> set[str]:
        """Tensors of either side that are not carried over to PyTorch."""
        transfer = self.analysis.transfer(Framework.TORCH)
        return {*transfer.missing, *transfer.unexpected}


class Judge:
    """Compares states with the one before all changes.

    Args:
        before: that state.
        seed: of the random inputs.
    """

    def __init__(self, before: State, seed: int = 0) -> None:
        self._before = before
        self._draw = Draws(before.analysis.graphs.tf, *before.readings, seed).first
        self._computed: list[Computed] = []

    def objection(self, state: State) -> str:
        """What speaks against a state; empty if nothing does."""
        lost = sorted(state.lost - self._before.lost)
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            return f"with it {lost[0]}{more} cannot be carried over"
        error = self._error(state)
        if error > max(LARGER * self._error_before, RTOL):
            return f"with it the outputs are further apart: {error:.2g}, not {self._error_before:.2g}"
        return ""

    @cached_property
    def _error_before(self) -> float:
        return self._error(self._before)

    def _error(self, state: State) -> float:
        """The largest relative error of an output, with the weights of the plan; infinite if the model cannot run."""
        with computing_in("float64"):
            trial = Trial(*state, self._draw, "float64", RTOL)
            self._computed = self._computed or trial.keras_outputs()  # the Keras model does not change
            try:
                returned = trial.with_the_plan(self._computed)
            except VerificationError:
                return math.inf
        return max((each.gap.relative for each in returned), default=math.inf)
