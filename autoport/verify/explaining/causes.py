"""Why two values differ: each structural difference is tested by computing PyTorch the Keras way.

Every known difference in the region of a divergence (weights, hyper-parameters, operations on an edge) is a
hypothesis. The testable ones are tested together: PyTorch runs with what Keras has. If the error vanishes, hypotheses
are taken back one by one, until only those are left that the agreement needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from autoport.comparison.differences import (
    Difference,
    attribute_differences,
    edge_differences,
    edge_operations,
    node_differences,
)
from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.facts.values import LoneOperations
from autoport.graph import Op
from autoport.verify.comparing.regions import Region, Regions
from autoport.verify.comparing.taps import NODE, Tap
from autoport.verify.explaining.mends import mend, nodes_of
from autoport.verify.explaining.naming import name_operation
from autoport.verify.explaining.weights import WeightComparison
from autoport.verify.running.lockstep import Lockstep, TapGap
from autoport.verify.running.patches import OperandOrder, Patch
from autoport.verify.verification import UNKNOWN, Cause

if TYPE_CHECKING:
    from autoport.analysis import Analysis

# A test helps if it at least halves the error: what it changed explains the larger part then.
HELPFUL = 0.5


@dataclass(eq=False)
class Hypothesis:
    """One difference, and how to compute PyTorch without it.

    Attributes:
        cause: the cause to report.
        stored: tensors to use instead of stored ones, by path.
        nodes: every `fx.Node` to compute in another way.
        op: the operation that they compute.
        values: hyper-parameters to use.
        patch: how to compute them, if not by other hyper-parameters.
        confirmed_by: the evidence if the hypothesis holds.
    """

    cause: Cause
    stored: dict[str, torch.Tensor] = field(default_factory=dict)
    nodes: tuple[fx.Node, ...] = ()
    op: Op | None = None
    values: dict[str, Any] = field(default_factory=dict)
    patch: Patch | None = None
    confirmed_by: Code = Code.AGREES_WITH_VALUE

    @property
    def testable(self) -> bool:
        """Whether PyTorch can be computed without the difference."""
        return bool(self.stored or self.nodes)


class Causes:
    """Finds the causes of divergences."""

    def __init__(
        self, analysis: Analysis, weights: WeightComparison, regions: Regions, lockstep: Lockstep, taps: Sequence[Tap]
    ) -> None:
        self._analysis, self._weights, self._regions = analysis, weights, regions
        self._matching, self._lockstep, self._taps = analysis.matching, lockstep, taps

    @cached_property
    def _missing(self) -> Mapping[str, Reason]:
        """Tensors that are not carried over; only a divergence asks for them."""
        return self._analysis.transfer(Framework.TORCH).missing

    def find(self, diverging: Mapping[Tap, TapGap]) -> dict[Tap, tuple[Cause, ...]]:
        """The causes of every divergence."""
        hypotheses = {tap: list(self._hypotheses(tap)) for tap in diverging}
        testable = {tap: [h for h in some if h.testable] for tap, some in hypotheses.items()}
        after = self._try(h for some in testable.values() for h in some)
        solved = {tap for tap in diverging if testable[tap] and self._agrees(after, tap)}
        needed = self._minimal({tap: testable[tap] for tap in solved})
        return {
            tap: tuple(
                replace(h.cause, reasons=(*h.cause.reasons, Reason(h.confirmed_by)), confirmed=True)
                for h in needed[tap]
            )
            if tap in solved
            else self._unsolved(tap, hypotheses[tap], diverging[tap], after)
            for tap in diverging
        }

    def _agrees(self, after: Mapping[Tap, TapGap], tap: Tap) -> bool:
        return tap in after and after[tap].agrees

    def _minimal(self, solved: dict[Tap, list[Hypothesis]]) -> dict[Tap, list[Hypothesis]]:
        """Drops hypotheses that the agreement does not need: each run tests one of every tap."""
        for place in range(max((len(some) for some in solved.values()), default=0)):
            dropped = {tap: some[-1 - place] for tap, some in solved.items() if len(some) > 1 and place < len(some)}
            if not dropped:
                break
            left_out = set(dropped.values())
            after = self._try(h for some in solved.values() for h in some if h not in left_out)
            for tap, hypothesis in dropped.items():
                if self._agrees(after, tap):
                    solved[tap] = [h for h in solved[tap] if h is not hypothesis]
        return solved

    def _unsolved(
        self, tap: Tap, hypotheses: Sequence[Hypothesis], before: TapGap, after: Mapping[Tap, TapGap]
    ) -> tuple[Cause, ...]:
        """Causes where the error does not vanish: untestable differences, and those whose test helps."""
        untestable = [h for h in hypotheses if not h.testable]
        smaller = tap in after and after[tap].relative < HELPFUL * before.relative
        helping = [h for h in hypotheses if h.testable] if smaller else []
        if not untestable and not helping:
            return tuple(self._suspects(tap, hypotheses)) or (Cause(UNKNOWN),)
        located = tap.kind != NODE and len({h.cause.name for h in untestable}) == 1 and not helping
        here, only = (Reason(Code.LOCATED),), (Reason(Code.NOTHING_ELSE),)
        causes = [
            replace(h.cause, reasons=here if located else h.cause.reasons or only, confirmed=located)
            for h in untestable
        ]
        if smaller:
            falls = Reason.of(Code.SMALLER_ERROR, error=after[tap].relative)
            causes += [replace(h.cause, reasons=(falls,)) for h in helping]
        return tuple(causes)

    def _suspects(self, tap: Tap, hypotheses: Sequence[Hypothesis]) -> Iterator[Cause]:
        """Possible causes where no test helps."""
        for hypothesis in hypotheses:
            yield replace(hypothesis.cause, reasons=(*hypothesis.cause.reasons, Reason(Code.STILL_DIFFERS)))
        for node in self._regions.of(tap).nodes:
            ops = self._matching.left.op(node), self._matching.right.op(self._matching.partner.get(node, ""))
            if not hypotheses and all(op is not None and op.attrs.get("masked") for op in ops):
                yield Cause("mask", reasons=(Reason(Code.VALUES_UNCOMPARED),))

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

    def _hypotheses(self, tap: Tap) -> Iterator[Hypothesis]:
        region = self._regions.of(tap)
        for node in region.nodes:
            if node in self._matching.partner:
                yield from self._of_weights(node)
                yield from self._of_node(node)
        alone = tuple(self._matching.left.place(n) for n in region.nodes if n not in self._matching.partner)
        extra = tuple(map(self._matching.right.place, self._without_partner(region)))
        if alone or extra:
            yield Hypothesis(Cause("operation", (LoneOperations(alone), LoneOperations(extra))))
        for node in region.edges:
            yield from self._of_edges(node)

    def _without_partner(self, region: Region) -> list[str]:
        """The inputs of the PyTorch operations of a region that have no partner."""
        partners = [self._matching.partner[node] for node in region.nodes if node in self._matching.partner]
        sources = [source for node in partners for source, _ in self._matching.right.preds.get(node, ())]
        return [source for source in dict.fromkeys(sources) if source not in self._matching.matched_right]

    def _of_weights(self, node: str) -> Iterator[Hypothesis]:
        op = self._matching.right.op(self._matching.partner[node])
        if op is None:
            return
        for path, wrong in self._weights.wrong.items():
            if any(name == op.name for name, _ in wrong.places):
                cause = Cause("weights", reasons=(wrong.reason,))
                yield Hypothesis(cause, stored={path: wrong.expected}, confirmed_by=Code.AGREES_WITH_TENSOR)
        for path in op.tensors:
            if path in self._missing:
                lost = Reason.of(Code.NOT_CARRIED, tensor=path, reason=self._missing[path])
                yield Hypothesis(Cause("weights", reasons=(lost,)))

    def _of_node(self, node: str) -> Iterator[Hypothesis]:
        a, b = self._matching.left.op(node), self._matching.right.op(self._matching.partner[node])
        for difference in node_differences(self._matching, node):
            if difference.training_only or a is None or b is None:
                continue
            if difference.name == "operand order" and b.kind.is_join:
                yield self._hypothesis_of_order(node, b, difference)
            else:
                yield self._hypothesis_of_attribute(a, b, difference)

    def _of_edges(self, node: str) -> Iterator[Hypothesis]:
        attributes = set()
        for first, second in edge_operations(self._matching, node):
            for difference in attribute_differences(first, second):
                attributes.add(difference)
                yield self._hypothesis_of_attribute(first, second, difference)
        for difference in edge_differences(self._matching, node):
            if difference not in attributes:
                yield Hypothesis(_cause(difference))

    def _hypothesis_of_attribute(self, a: Op, b: Op, difference: Difference) -> Hypothesis:
        nodes = nodes_of(self._analysis.graphs.torch, b)
        value = a.parameter(difference.name)
        if value is None or not nodes or any(mend(node, b, {difference.name: value}) is None for node in nodes):
            return Hypothesis(_cause(difference))
        return Hypothesis(_cause(difference), nodes=nodes, op=b, values={difference.name: value})

    def _hypothesis_of_order(self, node: str, b: Op, difference: Difference) -> Hypothesis:
        """The operands of a concatenation in the order of the Keras side."""
        expected = {place: self._matching.partner.get(source) for source, place in self._matching.left.preds[node]}
        actual = dict(self._matching.right.preds[b.name])
        order = [actual.get(str(expected[place]), -1) for place in sorted(expected)]
        nodes = nodes_of(self._analysis.graphs.torch, b)
        if sorted(order) != list(range(len(order))):
            return Hypothesis(_cause(difference))
        return Hypothesis(_cause(difference), nodes=nodes, op=b, patch=OperandOrder(order))


def _cause(difference: Difference) -> Cause:
    return Cause(name_operation(difference), difference.values)
