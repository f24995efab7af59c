"""Drops arithmetic with a neutral number, and resizing to the same size.

x + 0 = x - 0 = x * 1 = x / 1 = x ** 1 = resize(x, 1) = x
x * [1, 1, ...] = copies of x
"""

from __future__ import annotations

from autoport.graph import Graph, Op, Value

NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
# Kinds that are neutral only with the number as the second operand.
ORDERED = {"sub", "div", "pow"}


def drop_neutral(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if _is_neutral(op) and op.shapes[0] == graph.shape(op.inputs[0]):
            graph.bypass(op.name, op.inputs[0])
        elif (source := _beside_neutral(graph, op)) is not None and op.shapes[0] == graph.shape(source):
            graph.bypass(op.name, source)
        elif source is not None:
            graph.become(op, "expand", source)


def _beside_neutral(graph: Graph, op: Op) -> Value | None:
    """The operand that an operation does not change, because the other one is the neutral number everywhere."""
    if op.kind not in NEUTRAL or len(op.inputs) != 2:
        return None
    for source, other in [op.inputs] if op.kind in ORDERED else [op.inputs, op.inputs[::-1]]:
        if graph.op(other.op).kind == "constant" and graph.op(other.op).attrs.get("fill") == NEUTRAL[op.kind]:
            return source
    return None


def _is_neutral(op: Op) -> bool:
    if op.kind == "resize":
        return set(op.attrs["factor"]) == {1.0}
    if op.kind not in NEUTRAL or op.attrs.get("constant") != NEUTRAL[op.kind]:
        return False
    return op.kind not in ORDERED or not op.attrs.get("constant_first")
