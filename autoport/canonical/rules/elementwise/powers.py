"""Gives powers their names: square, square root and its inverse.

x ** 2 = x * x = square(x),   x ** 0.5 = sqrt(x),   x ** -0.5 = 1 / sqrt(x) = rsqrt(x)
"""

from __future__ import annotations

from autoport.graph import Graph, Op

NAMES = {2.0: "square", 0.5: "sqrt", -0.5: "rsqrt"}


def name_powers(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "pow" and not op.attrs.get("constant_first", True) and op.attrs["constant"] in NAMES:
            graph.become(op, NAMES[op.attrs["constant"]], op.inputs[0])
        elif op.kind == "mul" and len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]:
            graph.become(op, "square", op.inputs[0])
        elif _is_inverse(op) and graph.op(op.inputs[0].op).kind == "sqrt":
            graph.become(op, "rsqrt", graph.op(op.inputs[0].op).inputs[0])


def _is_inverse(op: Op) -> bool:
    """Whether an operation is 1 / x."""
    divides = op.kind == "div" and bool(op.attrs.get("constant_first")) and op.attrs["constant"] == 1
    return op.kind == "reciprocal" or divides
