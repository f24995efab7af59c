"""`Match.verify`: runs both graphs side by side and says whether, where and why they differ."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autoport.base.progress import stage
from autoport.comparison.outputs import exchanged
from autoport.errors import VerificationError
from autoport.facts.framework import Both, Framework
from autoport.facts.places import Matched, Place, Port
from autoport.facts.reasons import Code, Reason, Several
from autoport.verify.comparing.outputs import Returned, all_agree
from autoport.verify.comparing.taps import Tap
from autoport.verify.explaining.causes import Causes
from autoport.verify.running.draws import Draw, Draws
from autoport.verify.running.lockstep import TapGap
from autoport.verify.running.readings import Readings
from autoport.verify.running.replay import computing_in
from autoport.verify.running.rounding import MULTIPLE
from autoport.verify.seen import Seen
from autoport.verify.trial import Trial
from autoport.verify.unseen import find_unseen
from autoport.verify.verification import (
    MOST_SHOWN,
    UNKNOWN,
    Answer,
    Cause,
    Divergence,
    DrawKind,
    NodeError,
    RoundedConstant,
    Verification,
)

if TYPE_CHECKING:
    from autoport.analysis import Analysis

logger = logging.getLogger(__name__)
UNLOCATED = (Cause(UNKNOWN, reasons=(Reason(Code.NOT_LOCATED),)),)


def verify(
    analysis: Analysis, readings: Readings, inputs: Any, to: Framework, dtype: str, rtol: float, seed: int
) -> Verification:
    """See `Match.verify`."""
    with computing_in(dtype):
        return _Verifier(analysis, readings, inputs, to, dtype, rtol, seed).verification()


class _Verifier:
    def __init__(
        self, analysis: Analysis, readings: Readings, inputs: Any, to: Framework, dtype: str, rtol: float, seed: int
    ) -> None:
        self._analysis, self._readings, self._to = analysis, readings, to
        self._dtype, self._rtol, self._seed, self._given = dtype, rtol, seed, inputs is not None
        self._draws = Draws(analysis.graphs.tf, *readings, seed, inputs)
        self._draw = self._draws.first
        self._left_out: list[DrawKind] = []

    def verification(self) -> Verification:
        trial = Trial(self._analysis, self._readings, self._draw, self._dtype, self._rtol)
        with stage("verifying", len(trial.taps)) as trial.lockstep.tick:
            seen, answer, constants = self._seen(trial)
        draws = [self._draw]
        for draw in self._further_draws(seen):
            try:
                again = trial.on(draw)
            except VerificationError as failure:  # numbers that a model takes may depend on each other
                logger.debug("on inputs that are %s: %s", draw.kind, failure)
                self._left_out.append(draw.kind)
                continue
            draws.append(draw)
            if not all_agree(again):
                self._draw = draw
                trial, seen = self._explained(trial, again)
                break
        return self._result(trial, seen, answer, constants, draws)

    def _seen(self, trial: Trial) -> tuple[Seen, Answer, tuple[RoundedConstant, ...]]:
        """What runs show, and what is said if nothing differs.

        Where something does, PyTorch is given the constants of the Keras model. Where nothing of PyTorch can be told to
        be such a constant, what the roundings of those of Keras do is measured.
        """
        seen = trial.look()
        if not seen.differs or self._dtype != "float64":
            return seen, Answer.SAME, ()
        found = trial.rounded_constants()
        if found.constants:
            trial.lockstep.results = found.nodes
            given = trial.look()
            if len(given.diverging) < len(seen.diverging) or given.outputs_agree:
                return given, Answer.ROUNDED, found.constants
            trial.lockstep.results = {}
        if trial.lockstep.tf.tables:
            trial.lockstep.tf.redraws_constants = True
            measured = trial.look()
            if not measured.differs or len(measured.diverging) < len(seen.diverging):
                return measured, Answer.ROUNDED, ()
            trial.lockstep.tf.redraws_constants = False
        return seen, Answer.SAME, ()

    def _further_draws(self, seen: Seen) -> Sequence[Draw]:
        """Other inputs: none where a difference is known, more where places part and meet again."""
        if self._given or seen.differs:
            return ()
        thorough = bool(seen.spelled) or any(not each.training_only for each in self._analysis.differences)
        return self._draws.further(thorough=thorough)

    def _explained(self, trial: Trial, returned: list[Returned]) -> tuple[Trial, Seen]:
        """What runs show on inputs on which the outputs differ."""
        other = Trial(self._analysis, self._readings, self._draw, self._dtype, self._rtol)
        other.lockstep.results = trial.lockstep.results
        other.lockstep.tf.redraws_constants = trial.lockstep.tf.redraws_constants
        seen = other.look()
        return other, replace(seen, returned=returned)

    def _result(
        self, trial: Trial, seen: Seen, answer: Answer, constants: tuple[RoundedConstant, ...], draws: Sequence[Draw]
    ) -> Verification:
        causes = self._causes(trial, seen)
        unseen = find_unseen(self._analysis, trial, seen)
        divergences = [
            _divergence(tap, seen.diverging[tap], causes[tap])
            for tap in self._in_order(causes)
            if not (seen.outputs_agree and trial.is_harmless(tap))
        ]
        divergences += unseen.divergences
        divergences += self._of_outputs(trial, seen, located=bool(divergences))
        return Verification(
            answer=answer if seen.returned and not divergences else Answer.DIFFERENT,
            rtol=self._rtol,
            dtype=self._dtype,
            seed=None if self._given else self._seed,
            outputs=tuple(map(_output, seen.returned)),
            nodes=tuple(_error(tap, seen.forced[tap]) for tap in self._in_order(seen.forced)),
            divergences=tuple(divergences),
            constants=constants,
            spelled=tuple(seen.spelled[tap] for tap in self._in_order(seen.spelled)),
            unobservable=tuple(dict.fromkeys(unseen.unobservable)),
            layouts=tuple(filter(None, map(_layout, seen.returned))),
            draws=tuple(draw.kind for draw in draws),
            notes=tuple(self._notes(trial, seen)),
        )

    def _causes(self, trial: Trial, seen: Seen) -> dict[Tap, tuple[Cause, ...]]:
        """Why places differ; what differs on padded inputs alone differs in how padding is treated, where it begins."""
        if not self._draw.is_padded:
            causes = Causes(self._analysis, trial.weights, trial.regions, trial.lockstep, trial.taps)
            return causes.find(seen.diverging)
        first = [tap for tap in seen.diverging if seen.diverging.keys().isdisjoint(trial.regions.parents(tap))]
        return dict.fromkeys(first, self._of_padding)

    @property
    def _of_padding(self) -> tuple[Cause, ...]:
        return (Cause("mask", reasons=(Reason.of(Code.PADDED_ONLY, draw=self._draw.kind),), confirmed=True),)

    def _why_not_located(self, trial: Trial, returned: Returned) -> tuple[Cause, ...]:
        """Why an output differs although every place agrees."""
        if self._draw.is_padded:
            return self._of_padding
        mistake = trial.mistake_in(returned)
        turned = [d for d in self._analysis.differences if d.name == "axis" and d.tf.model is not None]
        if mistake is not None and len(turned) == 1:  # a flattened map: structure knows what its features are
            return (replace(mistake, name="axis", values=turned[0].values),)
        return UNLOCATED if mistake is None else (mistake,)

    def _of_outputs(self, trial: Trial, seen: Seen, *, located: bool) -> Iterator[Divergence]:
        """Outputs that a caller does not get: missing, exchanged, invalid, or different for no known reason."""
        left, right = self._analysis.graphs
        for returned in seen.returned:
            if returned.partner is None and self._to is Framework.TORCH:
                yield _output_divergence(returned, Cause("outputs", reasons=(Reason(Code.OUTPUT_MISSING),)))
            elif any(returned.invalid) and not located:
                tf, torch = returned.invalid
                yield _output_divergence(returned, Cause("NaN", reasons=(Reason.of(Code.INVALID, tf=tf, torch=torch),)))
            elif not returned.agrees and returned.partner is not None and not located:
                yield _output_divergence(returned, *self._why_not_located(trial, returned))
        pairs = [(r.number, r.partner) for r in seen.returned if r.partner is not None]
        if self._to is Framework.TF:
            for number in sorted(set(range(len(right.outputs))) - {p for r in seen.returned for p in r.partners}):
                yield _output_divergence(
                    Returned(number, None), Cause("outputs", reasons=(Reason(Code.OUTPUT_MISSING),))
                )
        for first, second in exchanged(pairs, left, right):
            at = Place(port=Port("output", first)), Place(port=Port("output", second))
            reason = Reason(Code.OUTPUTS_EXCHANGED)
            yield Divergence(*at, "output", 0.0, 0.0, 0.0, (Cause("outputs", reasons=(reason,), confirmed=True),))

    def _in_order(self, taps: Mapping[Tap, Any]) -> list[Tap]:
        """Taps in the order of the Keras computation."""
        order = {node: place for place, node in enumerate(self._analysis.matching.left.nodes)}
        rank = {"edge": 0, "node": 1, "output": 2}
        return sorted(taps, key=lambda tap: (order.get(tap.node, math.inf), rank[tap.kind]))

    def _notes(self, trial: Trial, seen: Seen) -> Iterator[Reason]:
        for place in trial.prepared:
            yield Reason.of(Code.GIVEN_APART, place=place.tf, reader=place.torch)
        yield from self._notes_on_outputs(seen)
        if self._left_out:
            yield Reason.of(Code.DRAWS_LEFT_OUT, draws=Several(self._left_out))
        if trial.mask is not None:
            yield Reason.of(Code.MASK_PARAMETER, parameter=trial.mask)
        if seen.differs and not self._draw.is_first:
            yield Reason.of(Code.ON_DRAW, draw=self._draw.kind)
        promoted = trial.lockstep.tf
        if promoted.in_float32:
            yield Reason.of(Code.IN_FLOAT32, operations=Several(sorted(promoted.in_float32)))
        if promoted.tables and promoted.redraws_constants:
            yield Reason.of(Code.ROUNDED_CONSTANTS, constants=Several(sorted(promoted.tables)))
        yield from self._rounding_notes(seen)
        trained = [difference for difference in self._analysis.differences if difference.training_only]
        if trained:
            yield Reason.of(Code.TRAINING_DIFFERS, number=len(trained), first=trained[0])

    def _notes_on_outputs(self, seen: Seen) -> Iterator[Reason]:
        """Outputs that only the target returns, or that the source lacks."""
        partners = {partner for returned in seen.returned for partner in returned.partners}
        more = Both(
            sum(returned.partner is None for returned in seen.returned),
            len(set(range(len(self._analysis.graphs.torch.outputs))) - partners),
        )
        if more[self._to]:
            yield Reason.of(Code.MORE_OUTPUTS, number=more[self._to], model=Place(model=self._to))

    def _rounding_notes(self, seen: Seen) -> Iterator[Reason]:
        """Notes about places at which the Keras value itself is exact up to rounding only."""
        calibrated = {tap: gap for tap, gap in seen.forced.items() if gap.tolerance > self._rtol}
        if not calibrated:
            return
        largest = max(gap.tolerance for gap in calibrated.values())
        yield Reason.of(Code.ROUNDING_ALLOWED, number=len(calibrated), multiple=MULTIPLE, largest=largest)
        needing = [
            t for t in self._in_order(calibrated) if self._rtol < calibrated[t].relative and calibrated[t].agrees
        ]
        if needing:
            first = Several(Matched(*tap.places) for tap in needing[:MOST_SHOWN])
            yield Reason.of(Code.ROUNDING_NEEDED, number=len(needing), first=first)


def _ports(returned: Returned) -> tuple[Place, Place]:
    numbers = returned.number, returned.number if returned.partner is None else returned.partner
    first, second = (Place(port=Port("output", number)) for number in numbers)
    return first, second


def _layout(returned: Returned) -> Reason | None:
    if returned.layout is None or not returned.agrees:
        return None
    return Reason.of(Code.OUTPUT_LAYOUT, output=Matched(*_ports(returned)), reason=returned.layout)


def _output(returned: Returned) -> NodeError:
    gap = returned.gap
    return NodeError(*_ports(returned), "output", gap.absolute, gap.relative, returned.tolerance)


def _output_divergence(returned: Returned, *causes: Cause) -> Divergence:
    gap = returned.gap
    return Divergence(*_ports(returned), "output", gap.absolute, gap.relative, returned.tolerance, causes)


def _error(tap: Tap, gap: TapGap) -> NodeError:
    return NodeError(*tap.places, tap.kind, gap.absolute, gap.relative, gap.tolerance)


def _divergence(tap: Tap, gap: TapGap, causes: tuple[Cause, ...]) -> Divergence:
    return Divergence(*tap.places, tap.kind, gap.absolute, gap.relative, gap.tolerance, causes)
