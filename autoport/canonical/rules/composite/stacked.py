"""Experts that are stored in one tensor are layers of their own (Shazeer et al., arXiv:1701.06538).

    sum over e of routing[e] * f(x, W[e])        a mixture of f(x, W[0]), f(x, W[1]), ...

The operations from the stored tensors to the sum are written out for every expert; a layer among them is a dense
layer over one slice of the stored tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from autoport.canonical.queries.routing import become_mixture, chosen_by
from autoport.canonical.queries.tracing import source_dim
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Piece, Weight


def fold_stacked(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "reduce_sum" and len(op.attrs["dims"]) == 1 and op.name in graph:
            product, (dim,) = graph.op(op.inputs[0].op), op.attrs["dims"]
            if product.kind == "mul" and len(product.inputs) == 2 and len(op.shapes[0]) < len(product.shapes[0]):
                _fold(graph, op, product, dim)
    graph.sort()


def _fold(graph: Graph, total: Op, product: Op, dim: int) -> None:
    """Turns a sum over a dimension into a mixture, if the dimension counts experts."""
    for place in (0, 1):
        inner, own = (source_dim(graph, product, p, dim) for p in (1 - place, place))
        choice = None if inner is None else chosen_by(graph, product.inputs[1 - place], inner)
        if choice is None or own is None:
            continue
        parts = _ExpertSlices(graph)
        if parts.possible(product.inputs[place], own) and parts.layered:
            count = product.shapes[0][dim]
            experts = tuple(parts.take(product.inputs[place], own, number) for number in range(count))
            become_mixture(graph, total, choice, experts)
            return


@dataclass
class _ExpertSlices:
    """Slices of values along a dimension that leads back to stored tensors.

    Attributes:
        graph: the whole graph, to which slices are appended.
        layered: whether a product on the way has the dimension in both operands: a layer for each position.
        slices: the slices so far, by value, dimension and position.
    """

    graph: Graph
    layered: bool = False
    slices: dict[tuple[Value, int, int], Value] = field(default_factory=dict)

    def possible(self, value: Value, dim: int) -> bool:
        """Whether a value can be taken apart along a dimension, back to the stored tensors."""
        op = self.graph.op(value.op)
        if op.kind == "parameter":
            return True
        places = self._places(op, dim)
        self.layered = self.layered or (op.kind == "matmul" and len(places) == 2)
        return bool(places) and all(self.possible(op.inputs[place], inner) for place, inner in places.items())

    def take(self, value: Value, dim: int, number: int) -> Value:
        """One position of a value along a dimension, which the result lacks."""
        key = value, dim, number
        if key not in self.slices:
            op = self.graph.op(value.op)
            places = self._places(op, dim)
            inputs = [
                self.take(operand, places[place], number) if place in places else self._without_dim(op, operand, dim)
                for place, operand in enumerate(op.inputs)
            ]
            self.slices[key] = self._copy(op, dim, number, inputs)
        return self.slices[key]

    def _places(self, op: Op, dim: int) -> dict[int, int]:
        """Operands that have the dimension, each with its own place of it."""
        if op.kind == "matmul":
            letter = op.attrs["equation"][2][dim]
            return {k: term.index(letter) for k, term in enumerate(op.attrs["equation"][:2]) if letter in term}
        if not op.kind.is_pointwise and op.kind not in ("reshape", "transpose", "slice"):
            return {}
        dims = {place: source_dim(self.graph, op, place, dim) for place in range(len(op.inputs))}
        return {place: inner for place, inner in dims.items() if inner is not None}

    def _without_dim(self, op: Op, operand: Value, dim: int) -> Value:
        """An operand that is the same for all positions, without the dimension of size 1 that it may have for them."""
        shape = self.graph.shape(operand)
        place = dim - len(op.shapes[0]) + len(shape)
        if op.kind == "matmul" or place < 0:
            return operand
        return self._add(op, "reshape", (operand,), (*shape[:place], *shape[place + 1 :]), f"{place}")

    def _copy(self, op: Op, dim: int, number: int, inputs: list[Value]) -> Value:
        shape = tuple(size for d, size in enumerate(op.shapes[0]) if d != dim)
        if op.kind == "parameter":
            return self._parameter(op, dim, number, shape)
        return self._add(op, op.kind, tuple(inputs), shape, f"{dim}={number}", **_attrs(op, dim))

    def _parameter(self, op: Op, dim: int, number: int, shape: tuple[int, ...]) -> Value:
        (piece,) = op.weights["value"].pieces
        name = next(n for n in piece.axes if piece.dimension(n) == dim)
        value = self._add(op, "parameter", (), shape, f"{dim}={number}")
        added = self.graph.op(value.op)
        part = replace(piece, select={**piece.select, name: number})
        added.weights = {"value": Weight((_renumber(part),))}
        added.colour = ("parameter", *sorted(size for size in shape if size != 1))
        return value

    def _add(
        self, op: Op, kind: str, inputs: tuple[Value, ...], shape: tuple[int, ...], suffix: str, **attrs: Any
    ) -> Value:
        name = f"{op.name}[{suffix}]"
        if name in self.graph:
            return Value(name)
        return self.graph.add_op(Op(name, kind, op.path, inputs, (shape,), {}, attrs, (kind,), op.type))


def _renumber(piece: Piece) -> Piece:
    """A piece with the axes that are left, named as those of a complete tensor."""
    for number, axis in enumerate(piece.axes):
        piece = piece.renamed(axis, f"x{number}")
    for number in range(len(piece.axes)):
        piece = piece.renamed(f"x{number}", f"p{number}")
    return piece


def _attrs(op: Op, dim: int) -> dict[str, Any]:
    """Hyper-parameters of an operation on values that lack a dimension."""
    attrs = dict(op.attrs)
    if op.kind == "matmul":
        letter = attrs["equation"][2][dim]
        attrs["equation"] = tuple(term.replace(letter, "") for term in attrs["equation"])
    elif op.kind == "transpose":
        gone = attrs["order"][dim]
        attrs["order"] = tuple(d - (d > gone) for place, d in enumerate(attrs["order"]) if place != dim)
    elif op.kind == "slice":
        attrs["ranges"] = {d - (d > dim): bounds for d, bounds in attrs["ranges"].items()}
    return attrs
