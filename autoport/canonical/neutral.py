"""Arithmetic with a number that changes nothing is nothing.

x + 0 = x - 0 = x * 1 = x / 1 = x ** 1 = x
"""

from __future__ import annotations

from autoport.graph import Graph

NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
# Where the number stands behind.
ORDERED = {"sub", "div", "pow"}


def drop_neutral(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind not in NEUTRAL or op.attrs.get("constant") != NEUTRAL[op.kind]:
            continue
        in_front = op.kind in ORDERED and op.attrs.get("constant_first")
        if not in_front and op.shapes[0] == graph.shape(op.inputs[0]):
            graph.bypass(op.name, op.inputs[0])
