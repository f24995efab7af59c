"""A stored vector added behind a dense layer or a convolution is its bias.

    add(dense(x), parameter) = dense with bias

Only where the product is read by nothing else, has no bias yet, and the vector lies along its
output channels.
"""

from __future__ import annotations

from autoport.canonical.queries.views import stored_vector
from autoport.graph import Graph, Op, Value


def fold_bias(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "add" or len(op.inputs) != 2:
            continue
        for product, vector in (op.inputs, op.inputs[::-1]):
            layer = _layer(graph, product)
            bias = stored_vector(graph, vector, layer.shapes[0], layer.attrs["outputs"]) if layer else None
            if layer is not None and bias is not None and op.shapes[0] == graph.shape(product):
                layer.weights["bias"] = bias
                graph.origins.pop(Value(layer.name), None)
                graph.fold(op.name, product)
                graph.drop_unused(vector.op)
                break


def _layer(graph: Graph, product: Value) -> Op | None:
    """The layer that makes a product, also through a reshape that unfolds the batch."""
    op = graph.op(product.op)
    if graph.out_degree(op.name) != 1:
        return None
    if op.kind == "reshape" and op.shapes[0][-1:] == graph.shape(op.inputs[0])[-1:]:
        inner = _layer(graph, op.inputs[0])
        last = inner is not None and list(inner.attrs["outputs"].values()) == [len(inner.shapes[0]) - 1]
        return inner if last else None
    return op if op.kind in ("dense", "conv") and "bias" not in op.weights else None
