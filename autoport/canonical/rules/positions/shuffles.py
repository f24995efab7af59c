"""Channels that are put in another order and then into space are shuffled into space the other way.

depth_to_space(x[..., order]) = pixel_shuffle(x)      where the order turns `(c r r)` into `(r r c)`
"""

from __future__ import annotations

from autoport.graph import Graph


def fold_shuffles(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind != "depth_to_space":
            continue
        taken = graph.op(op.inputs[0].op)
        if taken.kind != "gather" or taken.attrs.get("axis") != len(taken.shapes[0]) - 1:
            continue
        order, factor = graph.op(taken.inputs[1].op), op.attrs["factor"]
        if order.attrs.get("step") == factor**2 and order.shapes[0][-1] == taken.shapes[0][-1]:
            graph.become(op, "pixel_shuffle", taken.inputs[0], factor=factor)
