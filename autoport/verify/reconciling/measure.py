"""Whether changes bring the models closer: weights that can be carried over, and outputs end to end."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from autoport.errors import VerificationError
from autoport.facts.framework import Framework
from autoport.verify.comparing.taps import output_taps
from autoport.verify.explaining.weights import compare_weights
from autoport.verify.running.feed import draw, torch_feed
from autoport.verify.running.lockstep import Lockstep
from autoport.verify.running.promote import Computed, PromotedGraph
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in

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
        self._arrays = draw(before.analysis.graphs.tf, *before.readings, seed)

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

    @cached_property
    def _outputs(self) -> tuple[PromotedGraph, dict[int, Computed]]:
        """The Keras graph, and its outputs by position: the Keras model does not change."""
        analysis, tf = self._before.analysis, self._before.readings.tf
        graph = analysis.graphs.tf
        names = {place: graph.origins[value] for place, value in enumerate(graph.outputs) if value in graph.origins}
        promoted = PromotedGraph(tf.trace.graph, tf.trace.inputs)
        computed = dict(promoted.run(self._arrays, list(names.values())))
        return promoted, {place: computed[name] for place, name in names.items()}

    def _error(self, state: State) -> float:
        """The largest relative error of an output, with the weights of the plan; infinite if the model cannot run."""
        analysis, torch = state.analysis, state.readings.torch
        with computing_in("float64"):
            promoted, outputs = self._outputs
            weights = compare_weights(analysis)
            stored = weights.exact | {path: wrong.expected for path, wrong in weights.wrong.items()}
            feed = torch_feed(torch, self._arrays)
            lockstep = Lockstep(promoted, self._arrays, torch.recorded, feed, stored, RTOL)
            places = analysis.matching.left.output_position
            taps = {tap: outputs[places[tap.node]] for tap in output_taps(analysis.matching)}
            try:
                gaps = lockstep.end_to_end(taps)
            except VerificationError:
                return math.inf
        return max((gap.relative for gap in gaps.values()), default=math.inf)
