"""`Match.verify`: runs both models side by side and says whether, where and why they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoport.keras.read import flat_inputs
from autoport.progress import stage
from autoport.verify.causes import Causes
from autoport.verify.feed import draw, torch_feed
from autoport.verify.lockstep import FLOAT32, Apart, Twins
from autoport.verify.promote import Promoted
from autoport.verify.regions import Regions
from autoport.verify.replay import float64
from autoport.verify.taps import Tap, find_taps, output_taps
from autoport.verify.unobservable import cannot_show
from autoport.verify.verification import Cause, Divergence, NodeError, Verification
from autoport.verify.weights import Weights, WrongTensor, compare_weights

if TYPE_CHECKING:
    from autoport.result import Match

# Rounding of nodes adds up to this much at most, where every node by itself agrees.
ACCUMULATED = 1e3


def verify(match: Match, inputs: Any, rtol: float, seed: int) -> Verification:
    """See `Match.verify`."""
    with float64():
        return _Run(match, inputs, rtol, seed).verification()


@dataclass
class _Passes:
    """What the runs found: teacher-forced, and end to end."""

    forced: dict[Tap, Apart]
    outputs: dict[Tap, Apart]
    diverging: dict[Tap, Apart]


class _Run:
    def __init__(self, match: Match, inputs: Any, rtol: float, seed: int) -> None:
        tf, torch_reading = match.readings
        arrays = draw(match.graph_tf, tf, torch_reading, seed) if inputs is None else flat_inputs(inputs)
        self.match, self.rtol = match, rtol
        self.seed = seed if inputs is None else None
        self.taps = find_taps(match.matching, match.shifted["torch"])
        self.outputs = output_taps(match.matching)
        self.weights: Weights = compare_weights(match)
        self.regions = Regions(match.matching, self.taps)
        feed = torch_feed(torch_reading, arrays)
        promoted = Promoted(tf.trace.graph, tf.trace.inputs)
        self.twins = Twins(promoted, arrays, torch_reading.recorded, feed, self.weights.exact, rtol)

    def verification(self) -> Verification:
        with stage("verifying", len(self.taps)) as self.twins.tick:
            passes = self._passes()
        causes = Causes(self.match, self.weights, self.regions, self.twins, self.taps).find(passes.diverging)
        hidden, unobservable = self._hidden(passes)
        silent = {tap for tap in passes.diverging if self._is_unobservable(tap, passes)}
        unobservable += [str(wrong) for tap in silent for wrong, _ in self._wrong_at(tap)]
        divergences = [
            Divergence(
                *tap.places, tap.kind, passes.diverging[tap].absolute, passes.diverging[tap].relative, causes[tap]
            )
            for tap in self._in_order(passes.diverging)
            if tap not in silent
        ] + hidden
        return Verification(
            ok=not divergences and self._agree(passes),
            rtol=self.rtol,
            dtype="float64",
            seed=self.seed,
            outputs=tuple(_error(tap, apart) for tap, apart in passes.outputs.items()),
            nodes=tuple(_error(tap, passes.forced[tap]) for tap in self._in_order(passes.forced)),
            divergences=tuple(divergences) or self._unlocated(passes),
            unobservable=tuple(dict.fromkeys(unobservable)),
            notes=tuple(self._notes(passes)),
        )

    def _passes(self) -> _Passes:
        keep = [tap.tf for tap in self.outputs]
        forced, kept = self.twins.teacher_forced(self.taps, keep=keep)
        outputs = self.twins.end_to_end({tap: kept[tap.tf] for tap in self.outputs})
        failing = {tap: apart for tap, apart in forced.items() if not apart.within(self.rtol)}
        return _Passes(forced, outputs, self._diverging(failing) if failing else {})

    def _diverging(self, failing: Mapping[Tap, Apart]) -> dict[Tap, Apart]:
        """Failing taps at which the functions differ, not only what the graphs call the same place.

        A scale may be applied before a product on one side and behind it on the other. So PyTorch
        is run once more with its own values at the failing taps: where everything behind such a
        tap agrees then, nothing is wrong; nor where a failing tap agrees, whose own inputs had
        been replaced by what means something else there.
        """
        open_run, _ = self.twins.teacher_forced(self.taps, kept=failing.keys())

        def agrees(tap: Tap) -> bool:
            return tap in open_run and open_run[tap].within(self.rtol)

        def spelled(tap: Tap) -> bool:
            behind = self.regions.children(tap)
            return bool(behind) and all(map(agrees, behind)) and not self._wrong_at(tap)

        return {tap: apart for tap, apart in failing.items() if not agrees(tap) and not spelled(tap)}

    def _wrong_at(self, tap: Tap) -> list[tuple[WrongTensor, str]]:
        """Wrong tensors in the region of a tap, with the role of each wrong weight."""
        partner = self.match.matching.partner
        names = {partner.get(node) for node in self.regions.of(tap).nodes}
        return [(w, role) for w in self.weights.wrong.values() for name, role in w.places if name in names]

    def _is_unobservable(self, tap: Tap, passes: _Passes) -> bool:
        """Whether nothing is wrong in a region but weights that provably cannot show."""
        wrong = self._wrong_at(tap)
        graph = self.match.graph_torch
        places = [place for w, _ in wrong for place in w.places]
        silent = bool(places) and all(cannot_show(graph, *place) for place in places)
        return silent and all(apart.within(self.rtol) for apart in passes.outputs.values())

    def _hidden(self, passes: _Passes) -> tuple[list[Divergence], list[str]]:
        """Wrong tensors that no divergence shows: rows of a table that were not looked up, say."""
        shown = {wrong.path for tap in passes.diverging for wrong, _ in self._wrong_at(tap)}
        divergences, unobservable = [], []
        tf_names = {pair.torch.name: str(pair.tf) for pair in self.match.pairs}
        for path, wrong in self.weights.wrong.items():
            if path in shown:
                continue
            reasons = [cannot_show(self.match.graph_torch, name, role) for name, role in wrong.places]
            if reasons and all(reasons):
                unobservable.append(f"{wrong} ({reasons[0]})")
                continue
            name = next((name for name, _ in sorted(wrong.places)), "")
            cause = Cause("weights", evidence=f"{wrong}; it does not show on these inputs")
            place = str(self.match.graph_torch.op(name)) if name else path
            divergences.append(Divergence(tf_names.get(name, path), place, "node", wrong.difference, 0.0, (cause,)))
        return divergences, unobservable

    def _agree(self, passes: _Passes) -> bool:
        """Whether the outputs agree, or differ by no more than rounding that has added up."""
        limit = self._limit(passes)
        return bool(passes.outputs) and all(apart.relative <= limit for apart in passes.outputs.values())

    def _limit(self, passes: _Passes) -> float:
        rounded = any(apart.rounded for apart in passes.forced.values())
        return (FLOAT32 if rounded else self.rtol) * ACCUMULATED

    def _unlocated(self, passes: _Passes) -> tuple[Divergence, ...]:
        """Outputs that differ although no place was found at which the models do."""
        limit = self._limit(passes)
        return tuple(
            Divergence(
                *tap.places, tap.kind, apart.absolute, apart.relative, (Cause("unknown", evidence="not located"),)
            )
            for tap, apart in passes.outputs.items()
            if apart.relative > limit
        )

    def _in_order(self, taps: Mapping[Tap, Any]) -> list[Tap]:
        order = {node: place for place, node in enumerate(self.match.matching.left.nodes)}
        rank = {"edge": 0, "node": 1, "output": 2}
        return sorted(taps, key=lambda tap: (order.get(tap.node, math.inf), rank[tap.kind]))

    def _notes(self, passes: _Passes) -> Iterator[str]:
        if self.twins.tf.in_float32:
            yield "computed in float32: " + ", ".join(sorted(self.twins.tf.in_float32))
        held = sum(a.rounded and a.relative > self.rtol and a.within(self.rtol) for a in passes.forced.values())
        if held:
            yield f"{held} places behind constants that float32 has rounded agree to {FLOAT32:g} only"
        unmatched = len(self.match.matching.left.output_position) - len(passes.outputs)
        if unmatched > 0:
            yield f"{unmatched} outputs of the Keras model have no partner and were not compared"


def _error(tap: Tap, apart: Apart) -> NodeError:
    return NodeError(*tap.places, tap.kind, apart.absolute, apart.relative)
