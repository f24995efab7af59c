"""Moves of values that undo each other are nothing.

concat(x) = concat(x[:k], x[k:]) = transpose(transpose(x)) = reshape(reshape(x)) = x      in the same shape
concat(x, y)[:k] = x      where x has k positions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoport.graph import Graph, Op, Value


def drop_moves(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        source = SOURCES[op.kind](graph, op) if op.kind in SOURCES else None
        if source is not None and op.shapes[0] == graph.shape(source):
            _stand_for(graph, op, source)


def _stand_for(graph: Graph, op: Op, source: Value) -> None:
    """Lets a value stand for what the moves brought back to it."""
    if Value(op.name) in graph.origins:
        graph.origins.setdefault(source, graph.origins[Value(op.name)])
    graph.bypass(op.name, source)
    for value in op.inputs:
        if value.op in graph:
            graph.drop_unused(value.op)


def _joined(graph: Graph, op: Op) -> Value | None:
    """The one tensor that a concatenation is of, or is of all the parts of."""
    if len(op.inputs) == 1:
        return op.inputs[0]
    parts = [graph.op(value.op) for value in op.inputs]
    whole = parts[0].inputs[:1]
    if any(part.kind != "slice" or part.inputs != whole for part in parts):
        return None
    cuts = [part.attrs["ranges"] for part in parts]
    return whole[0] if _is_whole(cuts, op.attrs["axis"], graph.shape(whole[0])) else None


def _is_whole(cuts: Sequence[Any], axis: int, shape: Sequence[int]) -> bool:
    """Whether slices along one axis, side by side, are all of a tensor."""
    if any(cut is None or cut.keys() != {axis} or cut[axis][2] != 1 for cut in cuts):
        return False
    starts, stops = ([cut[axis][end] for cut in cuts] for end in (0, 1))
    return starts == [0, *stops[:-1]] and stops[-1] == shape[axis]


def _transposed(graph: Graph, op: Op) -> Value | None:
    """What a transposition brings back into its order."""
    inner = graph.op(op.inputs[0].op)
    if inner.kind != "transpose":
        return None
    back = [inner.attrs["order"][dim] for dim in op.attrs["order"]]
    return inner.inputs[0] if back == sorted(back) else None


def _reshaped(graph: Graph, op: Op) -> Value | None:
    """What a reshape brings back into its shape."""
    source = op.inputs[0]
    while graph.shape(source) != op.shapes[0]:
        inner = graph.op(source.op)
        if inner.kind != "reshape":
            return None
        source = inner.inputs[0]
    return source


def _picked(graph: Graph, op: Op) -> Value | None:
    """What a slice takes out again whole from where it was put."""
    inner, cut = graph.op(op.inputs[0].op), op.attrs["ranges"]
    if inner.kind != "concat" or cut is None or cut.keys() != {inner.attrs["axis"]}:
        return None
    axis, start = inner.attrs["axis"], 0
    for value in inner.inputs:
        stop = start + graph.shape(value)[axis]
        if cut[axis] == (start, stop, 1):
            return value
        start = stop
    return None


SOURCES = {"concat": _joined, "slice": _picked, "transpose": _transposed, "reshape": _reshaped}
