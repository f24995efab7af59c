"""The last softmax or sigmoid, which only one model may have: one returns probabilities, the other logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import fx, nn

from autoport.comparison.differences import Difference, edge_differences, matched_edges
from autoport.graph import Op, Value
from autoport.graph.axes import known_name
from autoport.matching import Matching
from autoport.matching.evidence import Edge, Expression
from autoport.verify.reconciling.changes import Change
from autoport.verify.reconciling.hyper_parameters import patching
from autoport.verify.reconciling.regions import origin
from autoport.verify.reconciling.sites import Site
from autoport.verify.running.patches import Followed, Patch, Skipped

if TYPE_CHECKING:
    from autoport.analysis import Analysis

UP_TO = "outputs are equal up to the {name}: logits=True makes the PyTorch model return what Keras returns"
ASIDE = "logits=True makes the PyTorch model return what Keras returns"
ELSEWHERE = "what it is computed from is read elsewhere, too"


@dataclass(eq=False)
class Final:
    """An output to which only one model applies a softmax or a sigmoid.

    Attributes:
        name: which of them.
        differences: the disagreement.
        node: the call of PyTorch that is to be computed otherwise.
        patch: how; None if it is not known.
    """

    name: str
    differences: list[Difference]
    node: fx.Node | None
    patch: Patch | None

    def site(self, model: nn.Module) -> Site:
        """It as a site: PyTorch is made to return what Keras returns."""
        changes: list[Change] = []
        if self.node is not None and self.patch is not None:
            changes = [patching(model, self.node, self.patch, self.differences)]
        return Site(self.differences, iter([changes]), ELSEWHERE)


def final_activations(analysis: Analysis) -> Iterator[Final]:
    """Outputs that are logits in one model and probabilities in the other."""
    matching = analysis.matching
    for output in matching.left.output_position:
        for source, a, b in matched_edges(matching, output) if output in matching.partner else ():
            place = matching.left.edge(source, output)
            differences = [d for d in edge_differences(matching, output) if d.tf == place]
            if len(differences) == 1:
                yield from _final(matching, a, b, differences)


def _final(matching: Matching, a: Edge, b: Edge, differences: list[Difference]) -> Iterator[Final]:
    graph = matching.right.graph
    more, less = _added(a.expression, b.expression), _added(b.expression, a.expression)
    if more is not None:
        yield Final(more.kind, differences, _only_returned(origin(graph, b.value)), _behind(matching, more, b.value))
    elif less is not None:
        yield Final(less.kind, differences, _only_returned(origin(graph, Value(less.name))), Skipped())


def _added(longer: Expression, shorter: Expression) -> Op | None:
    """The softmax or the sigmoid that one expression has behind another one."""
    op = longer.op
    final = op is not None and (op.kind.named_alone == "softmax" or op.kind == "sigmoid")
    return op if final and longer.operands == (shorter,) else None


def _only_returned(node: fx.Node | None) -> fx.Node | None:
    """A call whose result nothing but the output reads."""
    return node if node is not None and all(user.op == "output" for user in node.users) else None


def _behind(matching: Matching, op: Op, value: Value) -> Patch | None:
    """The same behind a PyTorch value, along the dimension that has the same name."""
    name, dims = str(op.kind), op.attrs.get("dims")
    if dims is None:
        return Followed(name)
    left, right = matching.left.graph, matching.right.graph
    ends = (left, op.inputs[0]), (right, value)
    names, others = ([known_name(axis) for axis in graph.axes.get(end, ())] for graph, end in ends)
    along = names[dims[0]] if names else None
    if along is not None and along in others:
        return Followed(name, {"dim": others.index(along)})
    return Followed(name, {"dim": dims[0]}) if left.shape(op.inputs[0]) == right.shape(value) else None
