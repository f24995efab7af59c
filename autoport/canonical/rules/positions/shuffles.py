"""A permutation of channels in front of a shuffle into space is the other framework's shuffle into space.

depth_to_space(x[..., order]) = pixel_shuffle(x)      where the order turns `(c r r)` into `(r r c)`
"""

from __future__ import annotations

from autoport.graph import Graph


def fold_shuffles(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "depth_to_space":
            continue
        gather = graph.op(op.inputs[0].op)
        if gather.kind != "gather" or gather.attrs.get("axis") != len(gather.shapes[0]) - 1:
            continue
        order, factor = graph.op(gather.inputs[1].op), op.attrs["factor"]
        if order.attrs.get("step") == factor**2 and order.shapes[0][-1] == gather.shapes[0][-1]:
            graph.become(op, "pixel_shuffle", gather.inputs[0], factor=factor)
