"""Where the models compute differently, and the ways to change it, the most plausible one first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import fx

from autoport.comparison.differences import Difference, attribute_differences, edge_operations
from autoport.graph import Op
from autoport.verify.explaining.mends import nodes_of
from autoport.verify.reconciling.changes import Change
from autoport.verify.reconciling.regions import where
from autoport.verify.running.numbers import intended

if TYPE_CHECKING:
    from autoport.analysis import Analysis

# Each is tried if the one before did not remove the differences.
Ways = Iterator[list[Change]]
NOTHING = "no attribute or argument sets it"
NO_EFFECT = "setting it has no effect"


@dataclass(eq=False)
class Site:
    """Differences that are changed together.

    Attributes:
        open: those that remain.
        ways: changes to try.
        why: why they remain once no way is left.
    """

    open: list[Difference]
    ways: Ways
    why: str = NOTHING


@dataclass(eq=False)
class Call:
    """One call in the PyTorch model, with the values that it should have.

    Attributes:
        op: the operation that it computes.
        node: the call; None if no single call computes it.
        path: of the module it is in.
        values: hyper-parameters of the Keras operation.
        differences: the disagreement about each.
    """

    op: Op
    node: fx.Node | None
    path: str
    values: dict[str, Any] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """Why nothing can be set, with the place where a person would."""
        place = where(self.node) if self.node is not None else ""
        return NOTHING + (f"; it is computed in {place}" if place else "")


def calls_that_differ(analysis: Analysis) -> list[Call]:
    """Calls whose hyper-parameters disagree."""
    calls: dict[tuple[str, fx.Node | None], Call] = {}
    for a, b, difference in _located_differences(analysis):
        for node in nodes_of(analysis.graphs.torch, b) or (None,):
            path = node.meta["nn_module_stack"][-1][0] if node is not None else b.path
            call = calls.setdefault((b.name, node), Call(b, node, path))
            call.values.setdefault(difference.name, intended(a.parameter(difference.name)))
            call.differences.setdefault(difference.name, difference)
    return list(calls.values())


def _located_differences(analysis: Analysis) -> Iterator[tuple[Op, Op, Difference]]:
    """The operations of which a hyper-parameter disagrees, with the difference."""
    matching = analysis.matching
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        pairs = [(a, b)] if a is not None and b is not None else []
        for first, second in (*pairs, *edge_operations(matching, node)):
            for difference in attribute_differences(first, second):
                yield first, second, difference
