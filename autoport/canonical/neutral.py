"""What changes nothing is nothing.

x + 0 = x - 0 = x * 1 = x / 1 = x ** 1 = x
concat(x) = stack(x) = concat(x[:k], x[k:]) = x
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoport.graph import Graph, Op, Value

NEUTRAL = {"add": 0.0, "sub": 0.0, "mul": 1.0, "div": 1.0, "pow": 1.0}
# Where the number stands behind.
ORDERED = {"sub", "div", "pow"}
JOINS = {"concat", "stack"}


def drop_neutral(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        source = _joined(graph, op) if op.kind in JOINS else _unchanged(op)
        if source is None:
            continue
        if op.shapes[0] == graph.shape(source):
            graph.bypass(op.name, source)
        elif op.kind in JOINS:
            graph.become(op, "reshape", source)


def _unchanged(op: Op) -> Value | None:
    """What a number that changes nothing is added to, or multiplied with."""
    if op.kind not in NEUTRAL or op.attrs.get("constant") != NEUTRAL[op.kind]:
        return None
    in_front = op.kind in ORDERED and op.attrs.get("constant_first")
    return None if in_front else op.inputs[0]


def _joined(graph: Graph, op: Op) -> Value | None:
    """The one tensor that a concatenation is of, or is of all the parts of."""
    if len(op.inputs) == 1:
        return op.inputs[0]
    parts = [graph.op(value.op) for value in op.inputs]
    whole = parts[0].inputs[:1]
    if op.kind == "stack" or any(part.kind != "slice" or part.inputs != whole for part in parts):
        return None
    cuts = [part.attrs["ranges"] for part in parts]
    return whole[0] if _is_whole(cuts, op.attrs["axis"], graph.shape(whole[0])) else None


def _is_whole(cuts: Sequence[Any], axis: int, shape: Sequence[int]) -> bool:
    """Whether slices along one axis, side by side, are all of a tensor."""
    if any(cut is None or cut.keys() != {axis} or cut[axis][2] != 1 for cut in cuts):
        return False
    starts, stops = ([cut[axis][end] for cut in cuts] for end in (0, 1))
    return starts == [0, *stops[:-1]] and stops[-1] == shape[axis]
