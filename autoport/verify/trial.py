"""Two models that run side by side: where they are compared, and what the runs show.

Outputs decide, places explain. A place whose values part, and behind which everything agrees again, is one function
in two spellings. Where all outputs agree, that holds for every place that leads to nothing but them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tensorflow import as_dtype
from torch import fx

from autoport.comparison.outputs import matched_outputs
from autoport.facts.framework import Framework
from autoport.facts.places import Matched
from autoport.pytorch.inputs import SAME_INPUT
from autoport.pytorch.read import same_calls, same_constants
from autoport.verify.comparing.compare import gap
from autoport.verify.comparing.outputs import Results, Returned, all_agree, moves_of, pair_outputs
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.spelling import spelled
from autoport.verify.comparing.taps import NODE, OUTPUT, Tap, find_taps
from autoport.verify.explaining.constants import Replacements, rounded_constants
from autoport.verify.explaining.mistakes.evidence import recognise_output
from autoport.verify.explaining.weights import WeightComparison, WrongTensor, compare_weights
from autoport.verify.running.draws import Draw
from autoport.verify.running.feed import input_orders, inputs_apart, torch_feed
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.promote import Computed, PromotedGraph
from autoport.verify.running.readings import Readings, recorded_on, recorded_with_mask
from autoport.verify.running.rounding import rounding_tolerance
from autoport.verify.seen import Seen
from autoport.verify.verification import Cause
from autoport.weights.algebra import Array

if TYPE_CHECKING:
    from autoport.analysis import Analysis

# Errors of outputs up to this are rounding in float64, however deep a model is. Larger ones are measured against it.
CERTAINLY_ROUNDING = 1e-12
# An error that is no more than this times another one is as small.
NEARLY = 2.0


class Trial:
    """A pair of models, ready to run.

    Args:
        analysis: what they have in common.
        readings: both models as they were read.
        draw: what they are fed.
        dtype: what to compute in.
        rtol: the largest difference, in standard deviations, that counts as rounding.

    Attributes:
        taps: where they are compared.
        regions: what lies between taps.
        weights: the tensors of the PyTorch model against the plan.
        lockstep: both graphs, with their inputs.
        prepared: where Keras computes what PyTorch was given as an input.
        mask: the parameter by which PyTorch had to be told of padding that Keras reads from its inputs, if any.
    """

    def __init__(self, analysis: Analysis, readings: Readings, draw: Draw, dtype: str, rtol: float) -> None:
        tf, torch_reading = readings
        self._analysis, self._readings, self._draw, self.rtol = analysis, readings, draw, rtol
        apart = inputs_apart(torch_reading)
        taps = find_taps(analysis.matching, analysis.shifted(Framework.TORCH))
        self.taps = [tap for tap in taps if tap.kind != NODE or tap.torch[0] not in apart]
        self.regions = Regions(analysis.matching, self.taps)
        self.weights: WeightComparison = compare_weights(analysis)
        promoted = PromotedGraph(tf.trace.graph, tf.trace.inputs, as_dtype(dtype))
        feed = torch_feed(torch_reading, draw.arrays)
        self.lockstep = Lockstep(promoted, draw.arrays, torch_reading.recorded, feed, self.weights.exact, rtol)
        self._moves = moves_of(input_orders(torch_reading, draw.arrays))
        self._names = [tensor.name for tensor in tf.trace.outputs]
        self.prepared = self._exact_inputs(apart)
        self.mask: str | None = None

    def _exact_inputs(self, apart: Mapping[Any, int]) -> list[Matched]:
        """Feeds PyTorch what Keras makes of its inputs, where users gave the same, rounded; returns those places."""
        taps = [tap for tap in self.taps if tap.torch[0] in apart]
        if not taps:
            return []
        args, places = list(self.lockstep.args), []
        for tap, values in self.lockstep.values_at(taps, taps).items():
            if values.arranged is not None and gap(values.arranged, values.actual).relative <= SAME_INPUT:
                args[apart[tap.torch[0]]] = values.arranged
                places.append(Matched(*tap.places))
        self.lockstep.args = args
        return places

    def look(self) -> Seen:
        """Runs both: teacher-forced, end to end, and again where something differs."""
        forced, kept = self.lockstep.teacher_forced(self.taps, keep=self._names)
        self._computed = computed = [kept[name] for name in self._names]
        self._ours = ours = self.lockstep.alone()
        seen = Seen(forced, self._pair(computed, ours, self.rtol))
        elsewhere = self._taps_of_other_outputs(seen.returned)
        failing = {tap: gap for tap, gap in forced.items() if not gap.agrees and tap not in elsewhere}
        floor = self._floor(seen, failing)
        if floor is not None:
            seen.returned = self._pair(self.lockstep.keras_outputs(self._names, through=True), ours, floor)
        if not seen.outputs_agree and self._may_choose_calls:
            anew = self._recorded_anew(self._draw, self.lockstep.args, computed)
            if anew is not None and all_agree(anew):  # then places of other calls prove nothing
                elsewhere, seen.returned = {*self.taps}, anew
        if failing:
            self._sort(seen, failing, elsewhere)
        return seen

    def mistake_in(self, returned: Returned) -> Cause | None:
        """What was done to an output that differs although every place agrees: its axes, say, were exchanged."""
        if returned.partner is None:
            return None
        values = _tensor(self._computed[returned.number]), self._ours[returned.partner]
        return recognise_output(*values, max(returned.tolerance, self.rtol), self._moves)

    @property
    def _may_choose_calls(self) -> bool:
        """Whether which calls run may depend on the inputs: masks and numbers are asked for, images hardly ever."""
        return any(not np.issubdtype(array.dtype, np.floating) for array in self._draw.arrays)

    def rounded_constants(self) -> Replacements:
        """The tables that both sides rounded otherwise, as far as the agreement of the outputs needs them."""
        found = self._constants(self.lockstep)
        if not found.constants:
            return found
        error = self._error(found.nodes)
        reached = max(CERTAINLY_ROUNDING, NEARLY * error)
        return found.needed(lambda nodes: self._error(nodes) <= reached) if error <= self.rtol else found

    def _constants(self, lockstep: Lockstep) -> Replacements:
        trace, carried = self._readings.tf.trace, self._analysis.transfer(Framework.TORCH).entries
        return rounded_constants(trace, lockstep.tf, lockstep.arrays, lockstep.recorded, carried.keys())

    def _error(self, results: Mapping[fx.Node, torch.Tensor]) -> float:
        """The largest error of an output, with other results of PyTorch nodes."""
        returned = self._pair(self._computed, self.lockstep.alone(results=results), self.rtol)
        return max((each.gap.relative for each in returned), default=0.0)

    def _floor(self, seen: Seen, failing: Collection[Tap]) -> float | None:
        """The error up to which outputs agree whatever rounding does; None if it need not be measured.

        Where every place agrees, the roundings of all places together may still be more than `rtol`. Where some place
        does not, less than `rtol` may be more than rounding.
        """
        largest = max((each.gap.relative for each in seen.returned), default=0.0)
        if not seen.outputs_agree:
            return self.rtol if all(map(self.is_harmless, failing)) else None
        return CERTAINLY_ROUNDING if failing and largest > CERTAINLY_ROUNDING else None

    def on(self, draw: Draw) -> list[Returned]:
        """Runs both end to end on other inputs.

        Where they differ, PyTorch is recorded on those inputs, because the calls that run may depend on them, and the
        roundings of all places together are measured. Where Keras reads from padded inputs which steps count, PyTorch
        may have to be told by a parameter that was left out.
        """
        reading = self._readings.torch
        feed = torch_feed(reading, draw.arrays)
        lockstep = self.lockstep.on(draw.arrays, feed, reading.recorded)
        returned = self._pair(lockstep.keras_outputs(self._names), lockstep.alone(), self.rtol, draw.valid)
        if all_agree(returned):
            return returned
        computed = lockstep.keras_outputs(self._names, through=True)
        returned = self._recorded_anew(draw, feed, computed) or self._pair(
            computed, lockstep.alone(), self.rtol, draw.valid
        )
        if draw.valid is None or all_agree(returned):
            return returned
        mask = torch.from_numpy(draw.valid.astype(np.int64))
        for name, recorded in recorded_with_mask(reading, feed, mask):
            masked = self._again(draw, [*feed, mask], recorded, computed)
            if all_agree(masked):
                self.mask = name
                return masked
        return returned

    def _recorded_anew(
        self, draw: Draw, feed: Sequence[torch.Tensor], computed: Sequence[Computed]
    ) -> list[Returned] | None:
        """Compares what PyTorch returns with the calls that run on these inputs; None if they are those that ran."""
        before, recorded = self.lockstep.recorded, recorded_on(self._readings.torch, feed)
        same = same_calls(before, recorded) and same_constants(before, recorded)
        return None if same else self._again(draw, feed, recorded, computed)

    def _again(
        self, draw: Draw, feed: Sequence[torch.Tensor], recorded: fx.GraphModule, computed: Sequence[Computed]
    ) -> list[Returned]:
        """Compares what a graph returns that was recorded anew."""
        lockstep = self.lockstep.on(draw.arrays, feed, recorded)
        if self.lockstep.results:
            lockstep.results = self._constants(lockstep).nodes
        return self._pair(computed, lockstep.alone(), self.rtol, draw.valid)

    def with_the_plan(self, computed: Sequence[Computed]) -> list[Returned]:
        """Runs PyTorch by itself, with the weights that the plan makes.

        Args:
            computed: what Keras returns.
        """
        expected = {path: wrong.expected for path, wrong in self.weights.wrong.items()}
        return self._pair(computed, self.lockstep.alone(stored=expected), self.rtol)

    def keras_outputs(self) -> list[Computed]:
        """What Keras returns."""
        return self.lockstep.keras_outputs(self._names)

    def wrong_tensors(self, tap: Tap) -> list[tuple[WrongTensor, str]]:
        """Wrong tensors in the region of a tap, with the role of each wrong weight."""
        partner = self._analysis.matching.partner
        names = {partner.get(node) for node in self.regions.of(tap).nodes}
        return [(w, role) for w in self.weights.wrong.values() for name, role in w.places if name in names]

    def is_harmless(self, tap: Tap) -> bool:
        """Whether a region has wrong weights, and all of them provably cannot show."""
        wrong = self.wrong_tensors(tap)
        return bool(wrong) and all(tensor.why_harmless(self._analysis.graphs.torch) for tensor, _ in wrong)

    def returned_with(self, side: Framework, stored: Mapping[str, Array]) -> list[torch.Tensor]:
        """What one model returns with other numbers in some of its tensors.

        Args:
            side: the model.
            stored: the numbers, by path.
        """
        if side is Framework.TORCH:
            return self.lockstep.alone(stored={path: torch.from_numpy(array) for path, array in stored.items()})
        store = self._readings.tf.store()
        promoted = self.lockstep.tf.with_variables([(store.handle(path), array) for path, array in stored.items()])
        return [_tensor(each) for each in replace(self.lockstep, tf=promoted).keras_outputs(self._names)]

    def _sort(self, seen: Seen, failing: Mapping[Tap, TapGap], elsewhere: Collection[Tap]) -> None:
        """Tells the taps at which the functions differ from those at which only their spelling does."""
        kept: Collection[Tap] = self.taps if seen.outputs_agree else failing.keys()
        own, _ = self.lockstep.teacher_forced(self.taps, kept=kept)
        clean = {tap: gap for tap, gap in failing.items() if not self.wrong_tensors(tap)}

        def agrees(tap: Tap) -> bool:
            excused = tap in elsewhere or (tap.kind == OUTPUT and seen.outputs_agree)
            return excused or (tap in own and own[tap].agrees)

        seen.spelled = spelled(clean, kept, agrees, self.regions)
        seen.diverging = {tap: gap for tap, gap in failing.items() if tap not in seen.spelled}

    def _pair(
        self, computed: Sequence[Computed], ours: Sequence[torch.Tensor], floor: float, valid: Array | None = None
    ) -> list[Returned]:
        """Outputs of both with their counterparts."""
        values = list(map(_tensor, computed))
        tolerances = [max(floor, rounding_tolerance(each.tensor, each.draws)) for each in computed]
        return pair_outputs(Results(values, ours, tolerances, valid), self._structure, self._moves)

    @cached_property
    def _structure(self) -> dict[int, int]:
        """Positions of PyTorch outputs by those of Keras outputs, as structure pairs them."""
        return dict(matched_outputs(self._analysis.matching))

    def _taps_of_other_outputs(self, returned: Sequence[Returned]) -> set[Tap]:
        """Taps at outputs that structure pairs otherwise than the values do."""
        place = self._analysis.matching.left.output_position
        moved = {r.number for r in returned if r.agrees and r.partner != self._structure.get(r.number)}
        return {tap for tap in self.taps if tap.kind == OUTPUT and place[tap.node] in moved}


def _tensor(computed: Computed) -> torch.Tensor:
    return torch.from_numpy(np.asarray(computed.tensor.numpy()))
