"""`Match.verify`: runs both graphs side by side and says whether, where and why they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tensorflow import as_dtype

from autoport.base.progress import stage
from autoport.facts.framework import Framework
from autoport.facts.places import Matched, Place
from autoport.facts.reasons import Code, Reason, Several
from autoport.keras.read import flat_inputs
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import Tap, find_taps, output_taps
from autoport.verify.explaining.causes import Causes
from autoport.verify.explaining.unobservable import cannot_show
from autoport.verify.explaining.weights import WeightComparison, WrongTensor, compare_weights
from autoport.verify.running.feed import draw, torch_feed
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.promote import PromotedGraph
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.verify.running.rounding import MULTIPLE
from autoport.verify.verification import UNKNOWN, Cause, Divergence, NodeError, Verification

if TYPE_CHECKING:
    from autoport.analysis import Analysis

UNLOCATED = (Cause(UNKNOWN, reasons=(Reason(Code.NOT_LOCATED),)),)
# Places to list by name.
MOST_SHOWN = 3


def verify(analysis: Analysis, readings: Readings, inputs: Any, dtype: str, rtol: float, seed: int) -> Verification:
    """See `Match.verify`."""
    with computing_in(dtype):
        return _Run(analysis, readings, inputs, dtype, rtol, seed).verification()


@dataclass
class _Passes:
    """How far values are apart: teacher-forced, end to end, and at the taps where the functions differ."""

    forced: dict[Tap, TapGap]
    outputs: dict[Tap, TapGap]
    diverging: dict[Tap, TapGap]


class _Run:
    def __init__(self, analysis: Analysis, readings: Readings, inputs: Any, dtype: str, rtol: float, seed: int) -> None:
        tf, torch_reading = readings
        arrays = draw(analysis.graphs.tf, tf, torch_reading, seed) if inputs is None else flat_inputs(inputs)
        self.analysis, self.dtype, self.rtol = analysis, dtype, rtol
        self.seed = seed if inputs is None else None
        self.taps = find_taps(analysis.matching, analysis.shifted(Framework.TORCH))
        self.outputs = output_taps(analysis.matching)
        self.weights: WeightComparison = compare_weights(analysis)
        self.regions = Regions(analysis.matching, self.taps)
        feed = torch_feed(torch_reading, arrays)
        promoted = PromotedGraph(tf.trace.graph, tf.trace.inputs, as_dtype(dtype))
        self.lockstep = Lockstep(promoted, arrays, torch_reading.recorded, feed, self.weights.exact, rtol)

    def verification(self) -> Verification:
        with stage("verifying", len(self.taps)) as self.lockstep.tick:
            passes = self._run_passes()
        causes = Causes(self.analysis, self.weights, self.regions, self.lockstep, self.taps).find(passes.diverging)
        unseen, unobservable = self._tensors_that_show_nowhere(passes)
        silent = set(filter(self._cannot_show, passes.diverging)) if _all_agree(passes.outputs) else set()
        reasons = (self._why_harmless(wrong) for tap in silent for wrong, _ in self._wrong_tensors(tap))
        unobservable += [reason for reason in reasons if reason is not None]
        divergences = [
            _divergence(tap, passes.diverging[tap], causes[tap])
            for tap in self._in_order_of_computation(passes.diverging)
            if tap not in silent
        ] + unseen
        if not divergences:
            divergences = [_divergence(tap, gap, UNLOCATED) for tap, gap in passes.outputs.items() if not gap.agrees]
        return Verification(
            ok=not divergences and bool(passes.outputs),
            rtol=self.rtol,
            dtype=self.dtype,
            seed=self.seed,
            outputs=tuple(_error(tap, gap) for tap, gap in passes.outputs.items()),
            nodes=tuple(_error(tap, passes.forced[tap]) for tap in self._in_order_of_computation(passes.forced)),
            divergences=tuple(divergences),
            unobservable=tuple(dict.fromkeys(unobservable)),
            notes=tuple(self._notes(passes)),
        )

    def _run_passes(self) -> _Passes:
        keep = [tap.tf for tap in self.outputs]
        forced, kept = self.lockstep.teacher_forced(self.taps, keep=keep)
        outputs = self.lockstep.end_to_end({tap: kept[tap.tf] for tap in self.outputs})
        failing = {tap: gap for tap, gap in forced.items() if not gap.agrees}
        diverging = self._diverging_taps(failing) if failing else {}
        if not _all_agree(outputs) and all(map(self._cannot_show, diverging)):
            outputs = self.lockstep.accumulate_rounding(outputs)
        return _Passes(forced, outputs, diverging)

    def _diverging_taps(self, failing: Mapping[Tap, TapGap]) -> dict[Tap, TapGap]:
        """Failing taps at which the functions differ, and not only their spelling.

        A scale may stand before a product on one side and behind it on the other. So PyTorch runs once more with its
        own values at the failing taps. Where everything behind such a tap agrees then, nothing is wrong. Nor is it
        where the tap itself agrees then: only the values that had replaced its inputs meant something else.
        """
        unforced, _ = self.lockstep.teacher_forced(self.taps, kept=failing.keys())

        def agrees(tap: Tap) -> bool:
            return tap in unforced and unforced[tap].agrees

        def only_spelling(tap: Tap) -> bool:
            children = self.regions.children(tap)
            return bool(children) and all(map(agrees, children)) and not self._wrong_tensors(tap)

        return {tap: gap for tap, gap in failing.items() if not agrees(tap) and not only_spelling(tap)}

    def _wrong_tensors(self, tap: Tap) -> list[tuple[WrongTensor, str]]:
        """Wrong tensors in the region of a tap, with the role of each wrong weight."""
        partner = self.analysis.matching.partner
        names = {partner.get(node) for node in self.regions.of(tap).nodes}
        return [(w, role) for w in self.weights.wrong.values() for name, role in w.places if name in names]

    def _cannot_show(self, tap: Tap) -> bool:
        """Whether a region has wrong weights, and all of them provably cannot show."""
        wrong = self._wrong_tensors(tap)
        return bool(wrong) and None not in [self._why_harmless(tensor) for tensor, _ in wrong]

    def _why_harmless(self, wrong: WrongTensor) -> Reason | None:
        """Why a wrong tensor cannot show; None if it can."""
        codes = [cannot_show(self.analysis.graphs.torch, name, role) for name, role in wrong.places]
        certain = [code for code in codes if code is not None]
        if not certain or len(certain) < len(codes):
            return None
        return Reason.of(Code.CANNOT_SHOW, wrong=wrong.reason, reason=Reason(certain[0]))

    def _tensors_that_show_nowhere(self, passes: _Passes) -> tuple[list[Divergence], list[Reason]]:
        """Wrong tensors that no divergence shows: rows of a table that were not looked up, say."""
        visible = {wrong.path for tap in passes.diverging for wrong, _ in self._wrong_tensors(tap)}
        divergences: list[Divergence] = []
        unobservable: list[Reason] = []
        places = {pair.torch.name: (pair.tf.place, pair.torch.place) for pair in self.analysis.pairs}
        for path, wrong in self.weights.wrong.items():
            if path in visible:
                continue
            reason = self._why_harmless(wrong)
            if reason is not None:
                unobservable.append(reason)
                continue
            name = min((name for name, _ in wrong.places), default="")
            cause = Cause("weights", reasons=(wrong.reason, Reason(Code.UNSEEN)))
            at = places.get(name, (Place(path), Place(path)))
            divergences.append(Divergence(*at, "node", wrong.difference, 0.0, self.rtol, (cause,)))
        return divergences, unobservable

    def _in_order_of_computation(self, taps: Mapping[Tap, Any]) -> list[Tap]:
        order = {node: place for place, node in enumerate(self.analysis.matching.left.nodes)}
        rank = {"edge": 0, "node": 1, "output": 2}
        return sorted(taps, key=lambda tap: (order.get(tap.node, math.inf), rank[tap.kind]))

    def _notes(self, passes: _Passes) -> Iterator[Reason]:
        promoted = self.lockstep.tf
        if promoted.in_float32:
            yield Reason.of(Code.IN_FLOAT32, operations=Several(sorted(promoted.in_float32)))
        if promoted.tables and self.dtype == "float64":
            yield Reason.of(Code.ROUNDED_CONSTANTS, constants=Several(sorted(promoted.tables)))
        calibrated = {tap: gap for tap, gap in passes.forced.items() if gap.tolerance > self.rtol}
        if calibrated:
            needing = [
                tap
                for tap in self._in_order_of_computation(calibrated)
                if calibrated[tap].agrees and calibrated[tap].relative > self.rtol
            ]
            yield from _rounding_notes(calibrated, needing)
        trained = [difference for difference in self.analysis.differences if difference.training_only]
        if trained:
            yield Reason.of(Code.TRAINING_DIFFERS, number=len(trained), first=trained[0])
        unmatched = len(self.analysis.matching.left.output_position) - len(passes.outputs)
        if unmatched > 0:
            yield Reason.of(Code.OUTPUTS_UNCOMPARED, number=unmatched)


def _error(tap: Tap, gap: TapGap) -> NodeError:
    return NodeError(*tap.places, tap.kind, gap.absolute, gap.relative, gap.tolerance)


def _divergence(tap: Tap, gap: TapGap, causes: tuple[Cause, ...]) -> Divergence:
    return Divergence(*tap.places, tap.kind, gap.absolute, gap.relative, gap.tolerance, causes)


def _all_agree(gaps: Mapping[Tap, TapGap]) -> bool:
    return all(gap.agrees for gap in gaps.values())


def _rounding_notes(calibrated: Mapping[Tap, TapGap], needing: Sequence[Tap]) -> Iterator[Reason]:
    """Notes about places at which the Keras value itself is exact up to rounding only."""
    largest = max(gap.tolerance for gap in calibrated.values())
    yield Reason.of(Code.ROUNDING_ALLOWED, number=len(calibrated), multiple=MULTIPLE, largest=largest)
    if needing:
        first = Several(Matched(*tap.places) for tap in needing[:MOST_SHOWN])
        yield Reason.of(Code.ROUNDING_NEEDED, number=len(needing), first=first)
