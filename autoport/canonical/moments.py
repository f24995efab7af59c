"""A normalisation by the moments of its own input, as TensorFlow spells it, is written out.

    x * r + (offset - mean(x) * r) = (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + offset
    r = scale / sqrt(variance(x) + epsilon)

`canonical.norms` takes up the scale and the offset afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoport.canonical.norms import become_norm
from autoport.graph import Graph, Op, Value


@dataclass(frozen=True)
class _Parts:
    """What a normalisation by moments is made of: its input, dimensions, epsilon and factors."""

    x: Value
    dims: tuple[int, ...]
    epsilon: float
    scale: Value | None
    offset: Value


def fold_moments(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "add" or len(op.inputs) != 2 or op.name not in graph:
            continue
        for first, second in (op.inputs, op.inputs[::-1]):
            product, rest = graph.op(first.op), graph.op(second.op)
            parts = _parts(graph, product, rest)
            if parts is not None:
                _write_out(graph, parts, product, rest, op)
                break


def _parts(graph: Graph, product: Op, rest: Op) -> _Parts | None:
    if product.kind != "mul" or rest.kind != "sub" or len(product.inputs) != 2 or len(rest.inputs) != 2:
        return None
    shift = graph.op(rest.inputs[1].op)
    if shift.kind != "mul" or len(shift.inputs) != 2:
        return None
    for x, factor in (product.inputs, product.inputs[::-1]):
        mean = next((value for value in shift.inputs if value != factor), None)
        found = _inverse(graph, factor)
        if mean is None or factor not in shift.inputs or found is None:
            continue
        (root, scale), mean_op = found, graph.op(mean.op)
        variance = _variance(graph, root, x, mean)
        if mean_op.kind == "reduce_mean" and mean_op.inputs == (x,) and variance is not None:
            dims, epsilon = variance
            if dims == mean_op.attrs["dims"]:
                return _Parts(x, dims, epsilon, scale, rest.inputs[0])
    return None


def _inverse(graph: Graph, factor: Value) -> tuple[Op, Value | None] | None:
    """The reciprocal root in a factor, and the scale that it is multiplied with."""
    op = graph.op(factor.op)
    if op.kind == "rsqrt":
        return op, None
    if op.kind == "mul" and len(op.inputs) == 2:
        for root, scale in (op.inputs, op.inputs[::-1]):
            if graph.op(root.op).kind == "rsqrt":
                return graph.op(root.op), scale
    return None


def _variance(graph: Graph, root: Op, x: Value, mean: Value) -> tuple[tuple[int, ...], float] | None:
    """Dimensions and epsilon of a variance about that mean."""
    shifted = graph.op(root.inputs[0].op)
    if shifted.kind != "add" or "constant" not in shifted.attrs:
        return None
    variance = graph.op(shifted.inputs[0].op)
    squares = graph.op(variance.inputs[0].op) if variance.kind == "reduce_mean" else None
    if squares is None or squares.kind != "SquaredDifference" or set(squares.inputs) != {x, mean}:
        return None
    return variance.attrs["dims"], shifted.attrs["constant"]


def _write_out(graph: Graph, parts: _Parts, norm: Op, factor: Op, total: Op) -> None:
    """The product becomes the norm, the difference behind it the factor, and the sum adds the offset."""
    for op in (norm, factor):
        graph.origins.pop(Value(op.name), None)
    scaled = Value(norm.name if parts.scale is None else factor.name)
    graph.replace_inputs(total, (scaled, parts.offset))
    if parts.scale is None:
        graph.drop_unused(factor.name)
    else:
        factor.kind, factor.colour, factor.shapes = "mul", ("mul",), norm.shapes
        graph.rewire(factor, (Value(norm.name), parts.scale))
    become_norm(graph, norm, "layer_norm", parts.x, parts.dims, parts.epsilon)
