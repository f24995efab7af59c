"""Drops arithmetic with a neutral number, choices that are the same everywhere, and resizing to the same size.

x + 0 = x - 0 = x * 1 = x / 1 = x ** 1 = resize(x, 1) = x
x * [1, 1, ...] = copies of x
where([true, ...], x, y) = masked_fill(x, [false, ...]) = x      where no stored tensor is left out
"""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from autoport.graph import Graph, Op, Value

NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
# Kinds that are neutral only with the number as the second operand.
ORDERED = {"sub", "div", "pow"}
# Operands of a choice: the condition, what is taken where it is true, and where it is not.
CHOICES: dict[str, tuple[int, int | None, int]] = {"where": (0, 1, 2), "masked_fill": (1, None, 0)}


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
    if op.kind in CHOICES:
        return _chosen(graph, op)
    if op.kind not in NEUTRAL or len(op.inputs) != 2:
        return None
    for source, other in [op.inputs] if op.kind in ORDERED else [op.inputs, op.inputs[::-1]]:
        if _fill(graph, other) == NEUTRAL[op.kind]:
            return source
    return None


def _chosen(graph: Graph, op: Op) -> Value | None:
    """The operand that a choice takes everywhere; None if it takes both, or neither."""
    condition, if_true, if_false = CHOICES[op.kind]
    fill = _fill(graph, op.inputs[condition]) if len(op.inputs) > condition else None
    if fill is None:
        return None
    taken, left = (if_true, if_false) if fill else (if_false, if_true)
    if taken is None or taken >= len(op.inputs) or (left is not None and _reads_tensors(graph, op.inputs[left:][:1])):
        return None
    return op.inputs[taken]


def _reads_tensors(graph: Graph, values: Sequence[Value]) -> bool:
    """Whether stored tensors make any of some values: other inputs of the model may choose them."""
    behind = {name for value in values for name in (value.op, *nx.ancestors(graph, value.op))}
    return any(graph.op(name).tensors for name in behind)


def _fill(graph: Graph, value: Value) -> float | None:
    """The number that a constant holds everywhere, also behind moves."""
    op = graph.op(value.op)
    while op.kind.is_silent and op.inputs:
        op = graph.op(op.inputs[0].op)
    fill: float | None = op.attrs.get("fill") if op.kind == "constant" else None
    return fill


def _is_neutral(op: Op) -> bool:
    if op.kind == "resize":
        return set(op.attrs["factor"]) == {1.0}
    if op.kind not in NEUTRAL or op.attrs.get("constant") != NEUTRAL[op.kind]:
        return False
    return op.kind not in ORDERED or not op.attrs.get("constant_first")
