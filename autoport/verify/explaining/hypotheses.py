"""What may be the cause of a divergence, and how to compute PyTorch without it.

Every known difference in the region of a divergence (weights, hyper-parameters, operations on an edge) is a
hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    role_conflicts,
)
from autoport.facts.framework import Framework
from autoport.facts.reasons import Code, Reason
from autoport.facts.values import LoneOperations
from autoport.graph import Op
from autoport.graph.axes import plain_name
from autoport.verify.comparing.regions import Region, Regions
from autoport.verify.comparing.taps import Tap
from autoport.verify.explaining.mends import mend, nodes_of
from autoport.verify.explaining.mistakes.tested import (
    Exchanged,
    Uncast,
    WholeNumbers,
    calls_between,
    casts,
    stored_states,
)
from autoport.verify.explaining.naming import name_operation
from autoport.verify.explaining.weights import WeightComparison
from autoport.verify.running.patches import OperandOrder, Patch
from autoport.verify.verification import Cause

if TYPE_CHECKING:
    from autoport.analysis import Analysis

# The difference of two operations that read an axis of the data in another role.
AXIS = "axis"


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
        lost: whether it is a tensor that the plan does not make.
    """

    cause: Cause
    stored: dict[str, torch.Tensor] = field(default_factory=dict)
    nodes: tuple[fx.Node, ...] = ()
    op: Op | None = None
    values: dict[str, Any] = field(default_factory=dict)
    patch: Patch | None = None
    confirmed_by: Reason = field(default_factory=lambda: Reason(Code.AGREES_WITH_VALUE))
    lost: bool = False

    @property
    def testable(self) -> bool:
        """Whether PyTorch can be computed without the difference."""
        return bool(self.stored or self.nodes)


class Hypotheses:
    """Finds what may be the cause of a divergence."""

    def __init__(self, analysis: Analysis, weights: WeightComparison, regions: Regions) -> None:
        self._analysis, self._weights, self._regions = analysis, weights, regions
        self._matching = analysis.matching

    @cached_property
    def _missing(self) -> Mapping[str, Reason]:
        """Tensors that are not carried over; only a divergence asks for them."""
        return self._analysis.transfer(Framework.TORCH).missing

    def of(self, tap: Tap) -> Iterator[Hypothesis]:
        """What the structure knows to differ in the region of a tap."""
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

    def unseen(self, tap: Tap) -> Iterator[Hypothesis]:
        """What may differ in the region of a tap although neither structure nor value shows it."""
        graph = self._analysis.graphs.torch
        partners = [self._matching.partner.get(node, "") for node in self._regions.of(tap).nodes]
        layers = [op for op in map(self._matching.right.op, partners) if op is not None and op.kind.is_layer]
        # One call may be several operations (directions, a stack), so the calls on the way are looked at.
        between = list(calls_between(tap.torch[0], [parent.torch[0] for parent in self._regions.parents(tap)]))
        states = dict.fromkeys(path for node in between for path in stored_states(node))
        for path in states:
            zeros = torch.zeros(graph.tensors[path].shape, dtype=torch.float64)
            agrees = Reason.of(Code.AGREES_WITHOUT_STATE, tensor=path)
            yield Hypothesis(Cause("kept state"), stored={path: zeros}, confirmed_by=agrees)
        if not states:
            casting = tuple(filter(casts, between))
            whole = tuple(node for op in layers for node in nodes_of(graph, op))
            patch, nodes = (Uncast(), casting) if casting else (WholeNumbers(), whole)
            agrees = Reason(Code.AGREES_WITHOUT_CAST if casting else Code.AGREES_WITH_CAST)
            yield Hypothesis(Cause("missing cast"), nodes=nodes, patch=patch, confirmed_by=agrees)

    def _without_partner(self, region: Region) -> list[str]:
        """The inputs of the PyTorch operations of a region that have no partner."""
        read = dict.fromkeys((*region.nodes, *region.edges))
        partners = [self._matching.partner[node] for node in read if node in self._matching.partner]
        sources = [source for node in partners for source, _ in self._matching.right.preds.get(node, ())]
        return [source for source in dict.fromkeys(sources) if source not in self._matching.matched_right]

    def _of_weights(self, node: str) -> Iterator[Hypothesis]:
        op = self._matching.right.op(self._matching.partner[node])
        if op is None:
            return
        for path, wrong in self._weights.wrong.items():
            if any(name == op.name for name, _ in wrong.places):
                cause = Cause("weights", reasons=(wrong.reason,))
                agrees = Reason(Code.AGREES_WITH_TENSOR)
                yield Hypothesis(cause, stored={path: wrong.expected}, confirmed_by=agrees)
        for path in op.tensors:
            if path in self._missing:
                lost = Reason.of(Code.NOT_CARRIED, tensor=path, reason=self._missing[path])
                yield Hypothesis(Cause("weights", reasons=(lost,)), lost=True)

    def _of_node(self, node: str) -> Iterator[Hypothesis]:
        a, b = self._matching.left.op(node), self._matching.right.op(self._matching.partner[node])
        for difference in node_differences(self._matching, node):
            if difference.training_only or a is None or b is None:
                continue
            if difference.name == "operand order" and b.kind.is_join:
                yield self._hypothesis_of_order(node, b, difference)
            elif difference.name == AXIS and any(role_conflicts(a, b)):
                yield self._hypothesis_of_axes(a, b, difference)
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

    def _hypothesis_of_axes(self, a: Op, b: Op, difference: Difference) -> Hypothesis:
        """The operation with the axes exchanged that it reads in another role."""
        graph = self._analysis.graphs.torch
        names = [plain_name(axis) for axis in graph.axes.get(b.inputs[0], ())]
        conflicts = [names.index(name) for _, *both in role_conflicts(a, b) for name in both if name in names]
        places, nodes = sorted(set(conflicts)), nodes_of(graph, b)
        cause = Cause("axes exchanged", difference.values)
        if len(places) != 2 or not nodes:
            return Hypothesis(cause)
        agrees = Reason.of(Code.AGREES_EXCHANGED, first=names[places[0]], second=names[places[1]])
        return Hypothesis(cause, nodes=nodes, patch=Exchanged(*places), confirmed_by=agrees)

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
