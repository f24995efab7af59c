"""`Match.verify`: runs both models side by side and says whether, where and why they differ."""

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
from autoport.verify.explaining.weights import Weights, WrongTensor, compare_weights
from autoport.verify.running.feed import draw, torch_feed
from autoport.verify.running.lockstep import Apart, Twins
from autoport.verify.running.promote import Promoted
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.verify.running.rounding import MULTIPLE
from autoport.verify.verification import UNKNOWN, Cause, Divergence, NodeError, Verification

if TYPE_CHECKING:
    from autoport.analysis import Analysis

UNLOCATED = (Cause(UNKNOWN, reasons=(Reason(Code.NOT_LOCATED),)),)
# Places that are listed by name.
MOST_SHOWN = 3


def verify(analysis: Analysis, readings: Readings, inputs: Any, dtype: str, rtol: float, seed: int) -> Verification:
    """See `Match.verify`."""
    with computing_in(dtype):
        return _Run(analysis, readings, inputs, dtype, rtol, seed).verification()


@dataclass
class _Passes:
    """What the runs found: teacher-forced, and end to end."""

    forced: dict[Tap, Apart]
    outputs: dict[Tap, Apart]
    diverging: dict[Tap, Apart]


class _Run:
    def __init__(self, analysis: Analysis, readings: Readings, inputs: Any, dtype: str, rtol: float, seed: int) -> None:
        tf, torch_reading = readings
        arrays = draw(analysis.graphs.tf, tf, torch_reading, seed) if inputs is None else flat_inputs(inputs)
        self.analysis, self.dtype, self.rtol = analysis, dtype, rtol
        self.seed = seed if inputs is None else None
        self.taps = find_taps(analysis.matching, analysis.shifted(Framework.TORCH))
        self.outputs = output_taps(analysis.matching)
        self.weights: Weights = compare_weights(analysis)
        self.regions = Regions(analysis.matching, self.taps)
        feed = torch_feed(torch_reading, arrays)
        promoted = Promoted(tf.trace.graph, tf.trace.inputs, as_dtype(dtype))
        self.twins = Twins(promoted, arrays, torch_reading.recorded, feed, self.weights.exact, rtol)

    def verification(self) -> Verification:
        with stage("verifying", len(self.taps)) as self.twins.tick:
            passes = self._passes()
        causes = Causes(self.analysis, self.weights, self.regions, self.twins, self.taps).find(passes.diverging)
        hidden, unobservable = self._hidden(passes)
        silent = set(filter(self._cannot_show, passes.diverging)) if _all_agree(passes.outputs) else set()
        harmless = (self._harmless(wrong) for tap in silent for wrong, _ in self._wrong_at(tap))
        unobservable += [reason for reason in harmless if reason is not None]
        divergences = [
            _divergence(tap, passes.diverging[tap], causes[tap])
            for tap in self._in_order(passes.diverging)
            if tap not in silent
        ] + hidden
        if not divergences:
            divergences = [
                _divergence(tap, apart, UNLOCATED) for tap, apart in passes.outputs.items() if not apart.agrees
            ]
        return Verification(
            ok=not divergences and bool(passes.outputs),
            rtol=self.rtol,
            dtype=self.dtype,
            seed=self.seed,
            outputs=tuple(_error(tap, apart) for tap, apart in passes.outputs.items()),
            nodes=tuple(_error(tap, passes.forced[tap]) for tap in self._in_order(passes.forced)),
            divergences=tuple(divergences),
            unobservable=tuple(dict.fromkeys(unobservable)),
            notes=tuple(self._notes(passes)),
        )

    def _passes(self) -> _Passes:
        keep = [tap.tf for tap in self.outputs]
        forced, kept = self.twins.teacher_forced(self.taps, keep=keep)
        outputs = self.twins.end_to_end({tap: kept[tap.tf] for tap in self.outputs})
        failing = {tap: apart for tap, apart in forced.items() if not apart.agrees}
        diverging = self._diverging(failing) if failing else {}
        if not _all_agree(outputs) and all(map(self._cannot_show, diverging)):
            outputs = self.twins.accumulated(outputs)
        return _Passes(forced, outputs, diverging)

    def _diverging(self, failing: Mapping[Tap, Apart]) -> dict[Tap, Apart]:
        """Failing taps at which the functions differ, not only what the graphs call the same place.

        A scale may be applied before a product on one side and behind it on the other. So PyTorch
        is run once more with its own values at the failing taps: where everything behind such a
        tap agrees then, nothing is wrong; nor where a failing tap agrees, whose own inputs had
        been replaced by what means something else there.
        """
        open_run, _ = self.twins.teacher_forced(self.taps, kept=failing.keys())

        def agrees(tap: Tap) -> bool:
            return tap in open_run and open_run[tap].agrees

        def spelled(tap: Tap) -> bool:
            behind = self.regions.children(tap)
            return bool(behind) and all(map(agrees, behind)) and not self._wrong_at(tap)

        return {tap: apart for tap, apart in failing.items() if not agrees(tap) and not spelled(tap)}

    def _wrong_at(self, tap: Tap) -> list[tuple[WrongTensor, str]]:
        """Wrong tensors in the region of a tap, with the role of each wrong weight."""
        partner = self.analysis.matching.partner
        names = {partner.get(node) for node in self.regions.of(tap).nodes}
        return [(w, role) for w in self.weights.wrong.values() for name, role in w.places if name in names]

    def _cannot_show(self, tap: Tap) -> bool:
        """Whether nothing is wrong in a region but weights that provably cannot show."""
        wrong = self._wrong_at(tap)
        return bool(wrong) and None not in [self._harmless(tensor) for tensor, _ in wrong]

    def _harmless(self, wrong: WrongTensor) -> Reason | None:
        """Why a wrong tensor cannot show; None if it can."""
        codes = [cannot_show(self.analysis.graphs.torch, name, role) for name, role in wrong.places]
        certain = [code for code in codes if code is not None]
        if not certain or len(certain) < len(codes):
            return None
        return Reason.of(Code.CANNOT_SHOW, wrong=wrong.reason, reason=Reason(certain[0]))

    def _hidden(self, passes: _Passes) -> tuple[list[Divergence], list[Reason]]:
        """Wrong tensors that no divergence shows: rows of a table that were not looked up, say."""
        shown = {wrong.path for tap in passes.diverging for wrong, _ in self._wrong_at(tap)}
        divergences: list[Divergence] = []
        unobservable: list[Reason] = []
        places = {pair.torch.name: (pair.tf.place, pair.torch.place) for pair in self.analysis.pairs}
        for path, wrong in self.weights.wrong.items():
            if path in shown:
                continue
            reason = self._harmless(wrong)
            if reason is not None:
                unobservable.append(reason)
                continue
            name = min((name for name, _ in wrong.places), default="")
            cause = Cause("weights", reasons=(wrong.reason, Reason(Code.UNSEEN)))
            at = places.get(name, (Place(path), Place(path)))
            divergences.append(Divergence(*at, "node", wrong.difference, 0.0, self.rtol, (cause,)))
        return divergences, unobservable

    def _in_order(self, taps: Mapping[Tap, Any]) -> list[Tap]:
        order = {node: place for place, node in enumerate(self.analysis.matching.left.nodes)}
        rank = {"edge": 0, "node": 1, "output": 2}
        return sorted(taps, key=lambda tap: (order.get(tap.node, math.inf), rank[tap.kind]))

    def _notes(self, passes: _Passes) -> Iterator[Reason]:
        promoted = self.twins.tf
        if promoted.in_float32:
            yield Reason.of(Code.IN_FLOAT32, operations=Several(sorted(promoted.in_float32)))
        if promoted.tables and self.dtype == "float64":
            yield Reason.of(Code.ROUNDED_CONSTANTS, constants=Several(sorted(promoted.tables)))
        held = {tap: apart for tap, apart in passes.forced.items() if apart.tolerance > self.rtol}
        if held:
            needing = [tap for tap in self._in_order(held) if held[tap].agrees and held[tap].relative > self.rtol]
            yield from _calibrated(held, needing)
        trained = [difference for difference in self.analysis.differences if difference.training_only]
        if trained:
            yield Reason.of(Code.TRAINING_DIFFERS, number=len(trained), first=trained[0])
        unmatched = len(self.analysis.matching.left.output_position) - len(passes.outputs)
        if unmatched > 0:
            yield Reason.of(Code.OUTPUTS_UNCOMPARED, number=unmatched)


def _error(tap: Tap, apart: Apart) -> NodeError:
    return NodeError(*tap.places, tap.kind, apart.absolute, apart.relative, apart.tolerance)


def _divergence(tap: Tap, apart: Apart, causes: tuple[Cause, ...]) -> Divergence:
    return Divergence(*tap.places, tap.kind, apart.absolute, apart.relative, apart.tolerance, causes)


def _all_agree(found: Mapping[Tap, Apart]) -> bool:
    return all(apart.agrees for apart in found.values())


def _calibrated(held: Mapping[Tap, Apart], needing: Sequence[Tap]) -> Iterator[Reason]:
    """What is said of places at which the Keras value itself is known up to rounding only."""
    largest = max(apart.tolerance for apart in held.values())
    yield Reason.of(Code.ROUNDING_ALLOWED, number=len(held), multiple=MULTIPLE, largest=largest)
    if needing:
        first = Several(Matched(*tap.places) for tap in needing[:MOST_SHOWN])
        yield Reason.of(Code.ROUNDING_NEEDED, number=len(needing), first=first)
