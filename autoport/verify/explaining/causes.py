"""Why two values differ: what may be the cause is tested by computing PyTorch the Keras way.

The testable hypotheses are tested together: PyTorch runs with what Keras has. If the error vanishes, those are taken
back that the agreement does not need. Where it does not, the two values themselves may tell which mistake was made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from autoport.facts.reasons import Code, Reason
from autoport.graph import Op
from autoport.verify.comparing.regions import Regions
from autoport.verify.comparing.taps import EDGE, NODE, Tap
from autoport.verify.explaining.hypotheses import Hypotheses, Hypothesis
from autoport.verify.explaining.mends import mend
from autoport.verify.explaining.mistakes.evidence import recognise_all
from autoport.verify.explaining.mistakes.recognise import OTHER_SHAPE
from autoport.verify.explaining.naming import OPERATION
from autoport.verify.explaining.weights import WeightComparison
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.patches import Patch
from autoport.verify.verification import UNKNOWN, Cause

if TYPE_CHECKING:
    from autoport.analysis import Analysis

# A test helps if it at least halves the error: what it changed explains the larger part then.
HELPFUL = 0.5
# Runs that may be spent on hypotheses of one kind, one by one.
MOST_RUNS = 3
# What another hyper-parameter may look like, too: where structure knows of one, it is that.
LOOKING_ALIKE = {"scale", "shift", "roll"}
NO_IDEA = (Cause(UNKNOWN),)
Found = Mapping[Tap, Sequence[Hypothesis]]


class Causes:
    """Finds the causes of divergences."""

    def __init__(
        self, analysis: Analysis, weights: WeightComparison, regions: Regions, lockstep: Lockstep, taps: Sequence[Tap]
    ) -> None:
        self._regions, self._lockstep, self._taps = regions, lockstep, taps
        self._hypotheses, self._matching = Hypotheses(analysis, weights, regions), analysis.matching

    def find(self, diverging: Mapping[Tap, TapGap]) -> dict[Tap, tuple[Cause, ...]]:
        """The causes of every divergence."""
        hypotheses = {tap: list(self._hypotheses.of(tap)) for tap in diverging}
        solved, after = self._solve(hypotheses)
        rest = {tap: hypotheses[tap] for tap in diverging if tap not in solved}
        structural = {tap: self._unsolved(tap, some, diverging[tap], after) for tap, some in rest.items()}
        found = solved | structural | self._mistakes(rest, structural, diverging)
        unexplained = [tap for tap, causes in found.items() if causes == NO_IDEA]
        found |= self._solve({tap: list(self._hypotheses.unseen(tap)) for tap in unexplained})[0]
        return {tap: found[tap] for tap in diverging}

    def _solve(self, hypotheses: Found) -> tuple[dict[Tap, tuple[Cause, ...]], dict[Tap, TapGap]]:
        """Confirmed causes of what agrees without the testable hypotheses, and how far everything is apart then."""
        testable = {tap: [h for h in some if h.testable] for tap, some in hypotheses.items()}
        after = self._try(h for some in testable.values() for h in some)
        needed = self._minimal({tap: some for tap, some in testable.items() if some and _agrees(after, tap)})
        return {tap: tuple(map(_confirmed, some)) for tap, some in needed.items()}, after

    def _minimal(self, solved: Found) -> dict[Tap, list[Hypothesis]]:
        """Drops hypotheses that the agreement does not need: all of one kind, then some of one kind one by one."""
        needed = {tap: list(some) for tap, some in solved.items()}
        self._drop(needed, {tap: _kinds(some) for tap, some in needed.items()})
        repeated = {tap: [h for kind in _kinds(some) if len(kind) > 1 for h in kind] for tap, some in needed.items()}
        self._drop(needed, {tap: [[h] for h in reversed(some)][:MOST_RUNS] for tap, some in repeated.items()})
        return needed

    def _drop(self, needed: dict[Tap, list[Hypothesis]], parts: Mapping[Tap, Sequence[Sequence[Hypothesis]]]) -> None:
        """Drops the parts without which a tap still agrees; each run leaves out one part of every tap."""
        for place in range(max(map(len, parts.values()), default=0)):
            here = {tap: set(some[place]) for tap, some in parts.items() if place < len(some)}
            dropped = {tap: some for tap, some in here.items() if some < set(needed[tap])}
            left_out = {h for some in dropped.values() for h in some}
            after = self._try(h for some in needed.values() for h in some if h not in left_out) if dropped else {}
            for tap, some in dropped.items():
                if _agrees(after, tap):
                    needed[tap] = [h for h in needed[tap] if h not in some]

    def _unsolved(
        self, tap: Tap, hypotheses: Sequence[Hypothesis], before: TapGap, after: Mapping[Tap, TapGap]
    ) -> tuple[Cause, ...]:
        """Causes where the error does not vanish: untestable differences, and those whose test helps.

        With the wrong weights no test can succeed; what structure knows comes first then.
        """
        untestable = sorted((h for h in hypotheses if not h.testable), key=lambda h: h.lost)
        smaller = tap in after and after[tap].relative < HELPFUL * before.relative
        helping = [h for h in hypotheses if h.testable] if smaller else []
        if not untestable and not helping:
            return tuple(self._suspects(tap, hypotheses)) or NO_IDEA
        located = tap.kind != NODE and len({h.cause.name for h in untestable}) == 1 and not helping
        here, only = (Reason(Code.LOCATED),), (Reason(Code.NOTHING_ELSE),)
        causes = [
            replace(h.cause, reasons=here if located else h.cause.reasons or only, confirmed=located)
            for h in untestable
        ]
        if any(h.lost for h in hypotheses) and not helping:
            causes = [*map(_suspect, (h for h in hypotheses if h.testable)), *causes]
        if smaller:
            falls = Reason.of(Code.SMALLER_ERROR, error=after[tap].relative)
            causes += [replace(h.cause, reasons=(falls,)) for h in helping]
        return tuple(causes)

    def _suspects(self, tap: Tap, hypotheses: Sequence[Hypothesis]) -> Iterator[Cause]:
        """Possible causes where no test helps."""
        yield from map(_suspect, hypotheses)
        for node in self._regions.of(tap).nodes:
            ops = self._matching.left.op(node), self._matching.right.op(self._matching.partner.get(node, ""))
            if not hypotheses and all(op is not None and op.attrs.get("masked") for op in ops):
                yield Cause("mask", reasons=(Reason(Code.VALUES_UNCOMPARED),))

    def _mistakes(
        self, hypotheses: Found, structural: Mapping[Tap, tuple[Cause, ...]], diverging: Mapping[Tap, TapGap]
    ) -> dict[Tap, tuple[Cause, ...]]:
        """Mistakes that the values tell, where structure tells nothing for certain, or only that operations differ.

        Where a weight was not carried, the values are those of another weight, and tell nothing.
        """
        lost = {tap for tap, some in hypotheses.items() if any(h.lost for h in some)}
        open_ = [tap for tap, causes in structural.items() if tap not in lost and not _says_enough(causes)]
        mistakes = recognise_all(self._lockstep, self._taps, self._regions, self._reads_input, open_, diverging)
        found: dict[Tap, tuple[Cause, ...]] = {}
        for tap, mistake in mistakes.items():
            first = structural[tap][0]
            if mistake.name in LOOKING_ALIKE and first.name not in (OPERATION, UNKNOWN):
                continue
            if mistake.name != OTHER_SHAPE or structural[tap] == NO_IDEA:
                values = first.values if first.confirmed and mistake.values is None else mistake.values
                found[tap] = (replace(mistake, values=values),)
        return found

    def _reads_input(self, tap: Tap) -> bool:
        """Whether a tap shows what was made of an input of the model, and of nothing else."""
        ops = [self._matching.left.op(parent.node) for parent in self._regions.parents(tap)]
        return tap.kind == EDGE and bool(ops) and all(op is not None and op.kind.is_input for op in ops)

    def _try(self, hypotheses: Iterable[Hypothesis]) -> dict[Tap, TapGap]:
        """One teacher-forced run without the differences of all these hypotheses."""
        stored: dict[str, torch.Tensor] = {}
        values: dict[fx.Node, tuple[Op, dict[str, Any]]] = {}
        patches: dict[fx.Node, Patch] = {}
        for hypothesis in dict.fromkeys(hypotheses):
            stored |= hypothesis.stored
            for node in hypothesis.nodes:
                if hypothesis.patch is not None:
                    patches[node] = hypothesis.patch
                elif hypothesis.op is not None:
                    values.setdefault(node, (hypothesis.op, {}))[1].update(hypothesis.values)
        for node, (op, changed) in values.items():
            patch = mend(node, op, changed)
            if patch is not None:
                patches[node] = patch
        if not stored and not patches:
            return {}
        return self._lockstep.teacher_forced(self._taps, stored=stored, patches=patches)[0]


def _agrees(after: Mapping[Tap, TapGap], tap: Tap) -> bool:
    return tap in after and after[tap].agrees


def _confirmed(hypothesis: Hypothesis) -> Cause:
    cause = hypothesis.cause
    return replace(cause, reasons=(*cause.reasons, hypothesis.confirmed_by), confirmed=True)


def _suspect(hypothesis: Hypothesis) -> Cause:
    return replace(hypothesis.cause, reasons=(*hypothesis.cause.reasons, Reason(Code.STILL_DIFFERS)))


def _kinds(hypotheses: Sequence[Hypothesis]) -> list[list[Hypothesis]]:
    """Hypotheses of one name each."""
    kinds: dict[str, list[Hypothesis]] = defaultdict(list)
    for hypothesis in hypotheses:
        kinds[hypothesis.cause.name].append(hypothesis)
    return list(kinds.values())


def _says_enough(causes: Sequence[Cause]) -> bool:
    """Whether causes are certain, and say more than that operations differ."""
    return all(cause.confirmed and cause.name != OPERATION for cause in causes)
