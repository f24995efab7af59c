"""A product of two values whose result is turned is the product with its result written in that order.

transpose(einsum("bqd,bkd->bkq", q, k)) = einsum("bqd,bkd->bqk", q, k)
"""

from __future__ import annotations

from autoport.graph import Graph, Op


def fold_turned(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "transpose" and op.name in graph:
            product = graph.op(op.inputs[0].op)
            if product.kind == "matmul" and graph.out_degree(product.name) == 1 and op.inputs[0] not in graph.outputs:
                _turn(graph, op, product)


def _turn(graph: Graph, op: Op, product: Op) -> None:
    """Lets the transpose be the product."""
    left, right, out = product.attrs["equation"]
    turned = "".join(out[dim] for dim in op.attrs["order"])
    op.kind, op.colour, op.path, op.type = product.kind, product.colour, product.path, product.type
    op.attrs = {**product.attrs, "equation": (left, right, turned)}
    graph.rewire(op, product.inputs)
