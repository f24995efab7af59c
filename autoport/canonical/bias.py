"""A stored vector added behind a dense layer or a convolution is its bias.

    add(dense(x), parameter) = dense with bias

Only where the product is read by nothing else, has no bias yet, and the vector lies along its
output channels.
"""

from __future__ import annotations

from autoport.canonical.products import stored_view
from autoport.graph import Graph, Op, Value
from autoport.weights.piece import Weight


def fold_bias(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "add" or len(op.inputs) != 2:
            continue
        for product, vector in (op.inputs, op.inputs[::-1]):
            layer = _layer(graph, product)
            bias = _bias(graph, layer, vector) if layer is not None else None
            if layer is not None and bias is not None and op.shapes[0] == graph.shape(product):
                layer.weights["bias"] = bias
                graph.bypass(op.name, product)
                graph.drop_unused(vector.op)
                break


def _layer(graph: Graph, product: Value) -> Op | None:
    """The layer behind a product, also where a reshape has unfolded the batch since."""
    op = graph.op(product.op)
    if graph.out_degree(op.name) != 1:
        return None
    if op.kind == "reshape" and op.shapes[0][-1:] == graph.shape(op.inputs[0])[-1:]:
        inner = _layer(graph, op.inputs[0])
        return inner if inner is not None and "layout" not in inner.attrs else None
    return op if op.kind in ("dense", "conv") and "bias" not in op.weights else None


def _bias(graph: Graph, product: Op, vector: Value) -> Weight | None:
    """The bias that a vector is: stored, and with one entry for each output of the layer."""
    view = stored_view(graph, vector)
    if view is None:
        return None
    rank = len(product.shapes[0])
    aligned = ([None] * rank + list(view.dims))[-rank:]
    outputs = product.attrs["outputs"]
    along = {name: aligned[dim] for name, dim in outputs.items() if aligned[dim] is not None}
    wanted = [size if dim in outputs.values() else 1 for dim, size in enumerate(product.shapes[0])]
    if ([1] * rank + list(graph.shape(vector)))[-rank:] != wanted:
        return None
    piece = view.piece
    for name, axis in along.items():
        piece = piece.renamed(str(axis), name)
    return Weight((piece,))
