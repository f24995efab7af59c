"""Arithmetic with a number that changes nothing is nothing; nor is resizing to the same size anything.

x + 0 = x - 0 = x * 1 = x / 1 = x ** 1 = resize(x, 1) = x
"""

from __future__ import annotations

from autoport.graph import Graph, Op

NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
# Where the number stands behind.
ORDERED = {"sub", "div", "pow"}


def drop_neutral(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if _is_neutral(op) and op.shapes[0] == graph.shape(op.inputs[0]):
            graph.bypass(op.name, op.inputs[0])


def _is_neutral(op: Op) -> bool:
    if op.kind == "resize":
        return set(op.attrs["factor"]) == {1.0}
    if op.kind not in NEUTRAL or op.attrs.get("constant") != NEUTRAL[op.kind]:
        return False
    return op.kind not in ORDERED or not op.attrs.get("constant_first")
