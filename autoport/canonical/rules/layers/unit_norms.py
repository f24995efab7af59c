"""Vectors that are divided by their length become one operation.

unit_norm(x) = x / max(|x|, epsilon) = x / sqrt(max(sum(x^2), epsilon^2)) = x * min(1 / |x|, 1 / epsilon)
"""

from __future__ import annotations

from math import sqrt

from autoport.graph import Graph, Op, Value

MOVES = {"reshape", "expand"}


def fold_unit_norms(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        for x, factor, root in _factors(op) if op.name in graph else ():
            length = _length_of(graph, x, graph.op(factor.op), root)
            if length is not None and op.shapes[0] == graph.shape(x):
                dims, epsilon = length
                graph.become(op, "unit_norm", x, dims=dims, epsilon=epsilon)
                break


def _factors(op: Op) -> list[tuple[Value, Value, str]]:
    """The vector, its divisor or factor, and the root that must be in that."""
    if len(op.inputs) != 2 or op.kind not in ("mul", "div"):
        return []
    first, second = op.inputs
    return [(first, second, "sqrt")] if op.kind == "div" else [(first, second, "rsqrt"), (second, first, "rsqrt")]


def _length_of(graph: Graph, x: Value, op: Op, root: str) -> tuple[tuple[int, ...], float] | None:
    """The dimensions along which a value is the length of x, or its inverse, and the epsilon that bounds it."""
    epsilon, rooted = 0.0, False
    while op.kind != "reduce_sum":
        constant = op.attrs.get("constant")
        if op.kind == root and not rooted:
            rooted = True
        elif op.kind == "maximum" and constant and (rooted or root == "sqrt"):
            epsilon = sqrt(constant) if rooted else constant
        elif op.kind == "minimum" and constant and not rooted and root == "rsqrt":
            epsilon = 1 / constant
        elif op.kind not in MOVES:
            return None
        op = graph.op(op.inputs[0].op)
    square = graph.op(op.inputs[0].op)
    return (op.attrs["dims"], epsilon) if rooted and square.kind == "square" and square.inputs == (x,) else None
