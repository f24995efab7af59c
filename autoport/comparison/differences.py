"""Differences between matched operations: hyper-parameters, operands, and the operations on edges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from autoport.comparison.functions import same_function
from autoport.comparison.outputs import exchanged, lacking, matched_outputs
from autoport.comparison.windows import SIZES, same_windows
from autoport.facts.places import WHOLE, Place, Port
from autoport.facts.values import Along, Momentum, OperandPlaces, Operations, Preprocessing, freeze, text
from autoport.graph import Graph, Op, Value
from autoport.graph.axes import axis_size, known_name
from autoport.graph.vocabulary import NOTHING, Use
from autoport.matching import Matching
from autoport.matching.evidence import Edge, Expression
from autoport.matching.ties import signature

OPERANDS = "operand order"
# A hyper-parameter that a framework keeps as float32 is off by up to 2**-24 of its value.
ROUNDING = 1e-7


@dataclass(frozen=True)
class Difference:
    """One disagreement.

    Attributes:
        name: the hyper-parameter, `operation` where the operations themselves differ, or
            `preprocessing`.
        tf: the place in the Keras model.
        torch: the place in the PyTorch model.
        values: the value in either model: numbers, texts, booleans, tuples of them, or types of
            `autoport.facts.values`; None for a side that lacks it.
        training_only: True if inference does not depend on it.
        provable: whether two models that agree in a run can be said to only spell it differently. Not so for what acts
            on some inputs only, for what numbers show to be two functions, and for what callers see.
    """

    name: str
    tf: Place
    torch: Place
    values: tuple[Any, Any]
    training_only: bool = False
    provable: bool = field(default=True, compare=False)

    @property
    def tf_value(self) -> str:
        """The value in the Keras model, in words."""
        return text(self.values[0])

    @property
    def torch_value(self) -> str:
        """The value in the PyTorch model, in words."""
        return text(self.values[1])

    def __str__(self) -> str:
        note = " (training only)" if self.training_only else ""
        return f"{self.name}{note}: {self.tf_value} at {self.tf}, {self.torch_value} at {self.torch}"


def find_differences(matching: Matching) -> list[Difference]:
    """Every disagreement, in the order of the Keras model."""
    differences = [replace(difference, provable=False) for difference in _ports(matching)]
    for node in matching.left.nodes:
        if node in matching.partner:
            differences += [*edge_differences(matching, node), *node_differences(matching, node)]
    return list(dict.fromkeys(differences))


def matched_edges(matching: Matching, node: str) -> Iterator[tuple[str, Edge, Edge]]:
    """Edges to a matched node of the Keras side: the source of each, the edge, and its counterpart.

    Where another order of operands is no difference, the operations on edges tell the counterparts.
    """
    free = node in matching.orders.aligned
    for source in dict(matching.left.preds.get(node, ())):
        edge = (matching.partner.get(source, ""), matching.partner[node])
        if edge in matching.right.edges:
            sides = matching.left.edges[source, node], matching.right.edges[edge]
            a, b = (sorted(side, key=lambda e: (0 if free else e.position, signature(e))) for side in sides)
            for first, second in zip(a, b, strict=False):
                yield source, first, second


def edge_differences(matching: Matching, node: str) -> Iterator[Difference]:
    """Differences on the edges to a matched node of the Keras side."""
    for source, a, b in matched_edges(matching, node):
        partners = matching.partner[source], matching.partner[node]
        yield from _edges((matching.left.edge(source, node), matching.right.edge(*partners)), a, b)


def edge_operations(matching: Matching, node: str) -> Iterator[tuple[Op, Op]]:
    """Contracted operations on the edges to a matched node of the Keras side, each with its counterpart."""
    for _, a, b in matched_edges(matching, node):
        if a.expression == b.expression:
            yield from zip(a.expression.ops(), b.expression.ops(), strict=True)


def node_differences(matching: Matching, node: str) -> Iterator[Difference]:
    """Differences between a node of the Keras side and its partner."""
    a, b = matching.left.op(node), matching.right.op(matching.partner[node])
    if a is not None and b is not None:
        orders = matching.orders
        permuted = node in orders.aligned - orders.visible
        wired = [d for d in wiring(matching, a, b) if not (permuted and d.name == OPERANDS)]
        here = [*attribute_differences(a, b), *wired]
        yield from here or _shapes(matching, a, b)


def _ports(matching: Matching) -> Iterator[Difference]:
    """Inputs and outputs that the PyTorch model lacks, has in another order or along other axes."""
    left, right = matching.left, matching.right
    for place in lacking(matching):
        yield Difference("outputs", *WHOLE, (Port("output", place), None))
    for first, second in exchanged(matched_outputs(matching), left.graph, right.graph):
        yield Difference("outputs", *WHOLE, (Port("output", first), Port("output", second)))
    for a, b in matching.partner.items():
        if a in left.output_position:
            numbers = left.output_position[a], right.output_position[b]
            values = left.graph.outputs[numbers[0]], right.graph.outputs[numbers[1]]
            yield from _composite_axes(left.graph, right.graph, *values, what="output")
        places = [op.attrs.get("position") for op in (left.op(a), right.op(b)) if op is not None and op.kind.is_input]
        if places:
            yield from _composite_axes(left.graph, right.graph, Value(a), Value(b), what="input")
        ports = [Port("input", place) for place in places if place is not None]
        if len(ports) == 2 and ports[0] != ports[1]:
            yield Difference("inputs", *WHOLE, (ports[0], ports[1]))


def _composite_axes(left: Graph, right: Graph, first: Value, second: Value, *, what: str) -> Iterator[Difference]:
    """Inputs or outputs whose axes are composed of others; which axis comes first is a matter of layout."""
    sides = []
    for graph, value in ((left, first), (right, second)):
        axes = [axis for axis in graph.axes.get(value, ()) if axis_size(axis) > 1]
        names = [known_name(axis, ordered=True) for axis in axes]
        composite = sorted(name for name in names if name is not None)
        if len(composite) < len(names):
            return
        sides.append(Along(what, tuple(composite)))
    if sides[0] != sides[1]:
        yield Difference("axis", *WHOLE, (sides[0], sides[1]))


def attribute_differences(a: Op, b: Op) -> Iterator[Difference]:
    """Hyper-parameters of two operations that disagree."""
    windows = SIZES if same_windows(a, b) else ()
    for name in dict.fromkeys((*a.attrs, *b.attrs)):
        declared = [op.kind.attribute(name) for op in (a, b)]
        if name in windows or any(attribute.use is not Use.COMPARED for attribute in declared):
            continue
        values = [op.attrs.get(name, attribute.default) for op, attribute in zip((a, b), declared, strict=True)]
        if None not in values and not _equal(*values):
            tf_value, torch_value = (None if value is NOTHING else freeze(value) for value in values)
            if name == "momentum":
                tf_value = Momentum(a.attrs[name])
            provable = not declared[0].on_some_inputs
            yield Difference(name, a.place, b.place, (tf_value, torch_value), declared[0].training_only, provable)
    if not windows:
        yield from _roles(a, b)


def _roles(a: Op, b: Op) -> Iterator[Difference]:
    """Axes that an operation treats specially, and that are other axes on the other side."""
    for role, *names in role_conflicts(a, b):
        tf_axis, torch_axis = (Along(role, (name,)) for name in names)
        yield Difference("axis", a.place, b.place, (tf_axis, torch_axis))


def role_conflicts(a: Op, b: Op) -> Iterator[tuple[str, str, str]]:
    """Roles of axes, with the names of the axis on either side where those differ."""
    first, second = (op.attrs.get("reads", {}) for op in (a, b))
    if a.kind.is_parameter and sorted(first.values()) == sorted(second.values()):
        return  # how a table is stored is a matter of layout
    for role in sorted(first.keys() & second.keys()):
        if first[role] != second[role]:
            yield role, first[role], second[role]


def _sizes(shape: tuple[int, ...]) -> list[int]:
    """A shape without its layout."""
    return sorted(size for size in shape if size != 1)


def _shapes(matching: Matching, a: Op, b: Op) -> Iterator[Difference]:
    """Results of another size from inputs of the same sizes."""
    graphs = matching.left.graph, matching.right.graph
    inputs = [sorted(_sizes(g.shape(v)) for v in op.inputs) for g, op in zip(graphs, (a, b), strict=True)]
    if not a.kind.passes_axes and inputs[0] == inputs[1] and _sizes(a.shapes[0]) != _sizes(b.shapes[0]):
        yield Difference("shape", a.place, b.place, (a.shapes[0], b.shapes[0]))


def wiring(matching: Matching, a: Op, b: Op) -> Iterator[Difference]:
    """Matched operations whose sources are matched, but not to each other or not in the same order."""
    uses = matching.left.preds.get(a.name, ())
    actual = sorted(matching.right.preds.get(b.name, ()))
    sources = {source for source, _ in uses}, {source for source, _ in actual}
    if not (matching.partner.keys() >= sources[0] and matching.matched_right >= sources[1]):
        return
    expected = sorted((matching.partner[source], position) for source, position in uses)
    if expected != actual:
        same = sorted(source for source, _ in expected) == sorted(source for source, _ in actual)
        name = OPERANDS if same else "operation"
        ordered = [sorted(edges, key=lambda edge: edge[1]) for edges in (uses, actual)]
        tf_operands, torch_operands = (
            OperandPlaces(tuple(graph.place(source) for source, _ in edges))
            for graph, edges in zip((matching.left, matching.right), ordered, strict=True)
        )
        yield Difference(name, a.place, b.place, (tf_operands, torch_operands))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)) or isinstance(b, (tuple, list)):
        return _flat(a, b) == _flat(b, a)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or math.isclose(a, b, rel_tol=ROUNDING)
    return bool(a == b)


def _flat(a: Any, other: Any) -> list[Any]:
    """A sequence as a flat list; a default number is repeated to the other's length."""
    if not isinstance(a, (tuple, list)):
        return [a] * len(_flat(other, ()))
    return [x for part in a for x in (_flat(part, ()) if isinstance(part, (tuple, list)) else [part])]


def _edges(places: tuple[Place, Place], a: Edge, b: Edge) -> Iterator[Difference]:
    """Compares the operations that were contracted onto two matched edges."""
    for op in a.preprocessing:
        layer = Preprocessing(op.type, op.attrs.get("detail", ""))
        yield Difference("preprocessing", op.place, places[1], (layer, None))
    differences = list(_operation_differences(places, a.expression, b.expression))
    same = same_function(a.expression, b.expression, alike) if differences else None
    for difference in differences if not same else ():
        yield replace(difference, provable=difference.provable and same is None)


def _operation_differences(places: tuple[Place, Place], a: Expression, b: Expression) -> Iterator[Difference]:
    """Differences between the operations of two expressions, whatever function they are together."""
    if a == b:
        for first, second in zip(a.ops(), b.ops(), strict=True):
            yield from attribute_differences(first, second)
    else:
        yield Difference("operation", *places, (_operations(a), _operations(b)))


def alike(a: Expression, b: Expression) -> bool:
    """Whether the outermost operations of two expressions have the same hyper-parameters."""
    return a.op is not None and b.op is not None and next(attribute_differences(a.op, b.op), None) is None


def _operations(expression: Expression) -> Operations:
    """Operations in order; an expression without any is shown by its label."""
    kinds = tuple(op.kind for op in expression.ops() if op.inputs)
    return Operations(kinds or (() if expression.is_source else (expression.label,)))
