"""Writes a normalisation by the moments of its own input, which TensorFlow spells as factor and shift, out.

    x * f + (offset - mean(x) * f) = (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + offset
    f = scale / sqrt(variance(x) + epsilon)

`norms` takes up the scale and the offset afterwards.
"""

from __future__ import annotations

from autoport.canonical.rules.layers.affine_norms import Affine, patterns
from autoport.canonical.rules.layers.norms import become_norm
from autoport.graph import Graph, Op, Value


def fold_moments(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        for pattern in patterns(graph, op) if op.name in graph else ():
            dims = _dims(graph, pattern)
            if dims:
                _write_out(graph, pattern, dims, op)
                break


def _dims(graph: Graph, pattern: Affine) -> tuple[int, ...]:
    """The dimensions that x is normalised along by its own mean and variance; empty if it is not."""
    mean, variance = (graph.op(pattern.parts[role].op) for role in ("mean", "variance"))
    if mean.kind != "reduce_mean" or variance.kind != "reduce_mean" or mean.inputs != (pattern.x,):
        return ()
    square = graph.op(variance.inputs[0].op)
    own = square.kind == "squared_difference" and set(square.inputs) == {pattern.x, pattern.parts["mean"]}
    dims: tuple[int, ...] = mean.attrs["dims"]
    return dims if own and dims == variance.attrs["dims"] else ()


def _write_out(graph: Graph, pattern: Affine, dims: tuple[int, ...], total: Op) -> None:
    """The factor becomes the norm, the product the scaling behind it, and the sum adds the offset."""
    norm, product, former = graph.op(pattern.factor.op), graph.op(pattern.product.op), total.inputs
    scale, offset = pattern.parts.get("scale"), pattern.parts.get("offset")
    for op in (norm, product):
        graph.origins.pop(Value(op.name), None)
    norm.shapes = product.shapes
    if scale is not None:
        graph.replace_inputs(product, (pattern.factor, scale))
    become_norm(graph, norm, "layer_norm", pattern.x, dims, pattern.epsilon)
    scaled = pattern.factor if scale is None else pattern.product
    if offset is None:
        graph.fold(total.name, scaled)
    else:
        graph.replace_inputs(total, (scaled, offset))
    for value in former:
        if value.op in graph:
            graph.drop_unused(value.op)
