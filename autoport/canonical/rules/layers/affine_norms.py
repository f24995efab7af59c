"""Normalisations that are written as one factor and one shift, as TensorFlow does:

    f = scale / sqrt(variance + epsilon),  x * f + (offset - mean * f)

With a stored mean and variance that is a batch norm; `moments` looks for the mean and variance of x itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoport.canonical.queries.views import stored_vector
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Weight

NEUTRAL = ("scale", "offset")


@dataclass(frozen=True)
class Affine:
    """The parts of such a pattern.

    Attributes:
        x: the normalised value.
        product: x times the factor.
        factor: the factor.
        epsilon: added to the variance.
        parts: mean, variance and, where there are any, scale and offset.
    """

    x: Value
    product: Value
    factor: Value
    epsilon: float
    parts: dict[str, Value]


def fold_affine_norms(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.name in graph:
            any(_become_batch_norm(graph, op, pattern) for pattern in patterns(graph, op))


def patterns(graph: Graph, op: Op) -> Iterator[Affine]:
    """Every way to read a sum as such a normalisation."""
    if op.kind != "add" or len(op.inputs) != 2:
        return
    for product, shift in (op.inputs, op.inputs[::-1]):
        for x, factor in _factors(graph, product):
            inverse = _inverse(graph, factor)
            parts = _shift(graph, shift, factor)
            if inverse is not None and parts is not None:
                variance, epsilon, scale = inverse
                yield Affine(x, product, factor, epsilon, {"variance": variance, **scale, **parts})


def _factors(graph: Graph, product: Value) -> Iterator[tuple[Value, Value]]:
    """Both ways to read a product of two."""
    op = graph.op(product.op)
    if op.kind == "mul" and len(op.inputs) == 2:
        first, second = op.inputs
        yield first, second
        yield second, first


def _inverse(graph: Graph, factor: Value) -> tuple[Value, float, dict[str, Value]] | None:
    """Variance, epsilon and scale of a factor."""
    readings: list[tuple[Value, dict[str, Value]]] = [(factor, {})]
    readings += [(root, {"scale": scale}) for root, scale in _factors(graph, factor)]
    for root, scale in readings:
        op = graph.op(root.op)
        shifted = graph.op(op.inputs[0].op) if op.kind == "rsqrt" else op
        if op.kind == "rsqrt" and shifted.kind == "add" and "constant" in shifted.attrs:
            return shifted.inputs[0], float(shifted.attrs["constant"]), scale
    return None


def _shift(graph: Graph, shift: Value, factor: Value) -> dict[str, Value] | None:
    """Mean and offset: `offset - mean * f`, or `-mean * f`, however it is written."""
    mean = _negated_mean(graph, shift, factor)
    if mean is not None:
        return {"mean": mean}
    op = graph.op(shift.op)
    if op.kind == "sub" and len(op.inputs) == 2:
        subtracted_mean = next((m for m, f in _factors(graph, op.inputs[1]) if f == factor), None)
        return None if subtracted_mean is None else {"mean": subtracted_mean, "offset": op.inputs[0]}
    if op.kind == "add" and len(op.inputs) == 2:
        for first, offset in (op.inputs, op.inputs[::-1]):
            mean = _negated_mean(graph, first, factor)
            if mean is not None:
                return {"mean": mean, "offset": offset}
    return None


def _negated_mean(graph: Graph, value: Value, factor: Value) -> Value | None:
    """The mean in `-(mean * f)` or in `-mean * f`."""
    op = graph.op(value.op)
    if op.kind == "neg":
        return next((mean for mean, f in _factors(graph, op.inputs[0]) if f == factor), None)
    for negated, f in _factors(graph, value):
        if f == factor and graph.op(negated.op).kind == "neg":
            return graph.op(negated.op).inputs[0]
    return None


def _vectors(graph: Graph, pattern: Affine, roles: tuple[str, ...], dim: int) -> dict[str, Weight] | None:
    shape = graph.shape(pattern.x)
    weights = {}
    for role in roles:
        if role in pattern.parts:
            weight = stored_vector(graph, pattern.parts[role], shape, {"c": dim})
            if weight is None:
                return None
            weights[role] = weight
    return weights


def _become_batch_norm(graph: Graph, op: Op, pattern: Affine) -> bool:
    shape = graph.shape(pattern.x)
    for dim in reversed(range(1, len(shape))):
        weights = _vectors(graph, pattern, (*NEUTRAL, "mean", "variance"), dim)
        if weights is not None and op.shapes[0] == shape:
            graph.become(op, "batch_norm", pattern.x, epsilon=pattern.epsilon, binds={"c": (0, dim)})
            op.colour, op.weights = ("batch_norm", shape[dim]), weights
            return True
    return False
