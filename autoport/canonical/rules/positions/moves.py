"""Drops moves of values that undo each other.

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
    """Drops moves that end in the same value, which takes over their origin."""
    if Value(op.name) in graph.origins:
        graph.origins.setdefault(source, graph.origins[Value(op.name)])
    graph.bypass(op.name, source)
    for value in op.inputs:
        if value.op in graph:
            graph.drop_unused(value.op)


def _source_of_concat(graph: Graph, op: Op) -> Value | None:
    """The tensor that a concatenation is: its only operand, or the one whose parts it joins."""
    if len(op.inputs) == 1:
        return op.inputs[0]
    parts = [graph.op(value.op) for value in op.inputs]
    source = parts[0].inputs[:1]
    if any(part.kind != "slice" or part.inputs != source for part in parts):
        return None
    cuts = [part.attrs["ranges"] for part in parts]
    return source[0] if _is_whole(cuts, op.attrs["axis"], graph.shape(source[0])) else None


def _is_whole(cuts: Sequence[Any], axis: int, shape: Sequence[int]) -> bool:
    """Whether slices along one axis, side by side, are the whole tensor."""
    if any(cut is None or cut.keys() != {axis} or cut[axis][2] != 1 for cut in cuts):
        return False
    starts, stops = ([cut[axis][end] for cut in cuts] for end in (0, 1))
    return starts == [0, *stops[:-1]] and stops[-1] == shape[axis]


def _source_of_transpose(graph: Graph, op: Op) -> Value | None:
    """The value that a transpose brings back into its order; None if there is none."""
    inner = graph.op(op.inputs[0].op)
    if inner.kind != "transpose":
        return None
    back = [inner.attrs["order"][dim] for dim in op.attrs["order"]]
    return inner.inputs[0] if back == sorted(back) else None


def _source_of_reshape(graph: Graph, op: Op) -> Value | None:
    """The value that a reshape brings back into its shape; None if there is none."""
    source = op.inputs[0]
    while graph.shape(source) != op.shapes[0]:
        inner = graph.op(source.op)
        if inner.kind != "reshape":
            return None
        source = inner.inputs[0]
    return source


def _source_of_slice(graph: Graph, op: Op) -> Value | None:
    """The operand of a concatenation that a slice takes out again; None if it takes out anything else."""
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


SOURCES = {
    "concat": _source_of_concat,
    "slice": _source_of_slice,
    "transpose": _source_of_transpose,
    "reshape": _source_of_reshape,
}
