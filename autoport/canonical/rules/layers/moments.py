"""A normalisation by the moments of its own input, as TensorFlow spells it, is written out.

    x * f + (offset - mean(x) * f) = (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + offset
    f = scale / sqrt(variance(x) + epsilon)

`canonical.norms` takes up the scale and the offset afterwards.
"""

from __future__ import annotations

from autoport.canonical.rules.layers.affine_norms import Affine, patterns
from autoport.canonical.rules.layers.norms import become_norm
from autoport.graph import Graph, Op, Value


def fold_moments(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        for found in patterns(graph, op) if op.name in graph else ():
            dims = _dims(graph, found)
            if dims:
                _write_out(graph, found, dims, op)
                break


def _dims(graph: Graph, found: Affine) -> tuple[int, ...]:
    """The dimensions that x is normalised along by its own mean and variance; empty if it is not."""
    mean, variance = (graph.op(found.parts[role].op) for role in ("mean", "variance"))
    if mean.kind != "reduce_mean" or variance.kind != "reduce_mean" or mean.inputs != (found.x,):
        return ()
    square = graph.op(variance.inputs[0].op)
    own = square.kind == "squared_difference" and set(square.inputs) == {found.x, found.parts["mean"]}
    dims: tuple[int, ...] = mean.attrs["dims"]
    return dims if own and dims == variance.attrs["dims"] else ()


def _write_out(graph: Graph, found: Affine, dims: tuple[int, ...], total: Op) -> None:
    """The factor becomes the norm, the product the scaling behind it, and the sum adds the offset."""
    norm, product, former = graph.op(found.factor.op), graph.op(found.product.op), total.inputs
    scale, offset = found.parts.get("scale"), found.parts.get("offset")
    for op in (norm, product):
        graph.origins.pop(Value(op.name), None)
    norm.shapes = product.shapes
    if scale is not None:
        graph.replace_inputs(product, (found.factor, scale))
    become_norm(graph, norm, "layer_norm", found.x, dims, found.epsilon)
    scaled = found.factor if scale is None else found.product
    if offset is None:
        graph.fold(total.name, scaled)
    else:
        graph.replace_inputs(total, (scaled, offset))
    for value in former:
        if value.op in graph:
            graph.drop_unused(value.op)
