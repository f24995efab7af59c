"""A stack of parts that is reshaped to one axis is a concatenation, or a shuffle.

reshape(stack((x, y), -2)) = concat((x, y), -1)
reshape(stack(split(x, n, -1), -1)) = channel_shuffle(x, n)      (n m) -> (m n)
"""

from __future__ import annotations

from autoport.graph import Graph, Op, Value


def fold_interleaved(graph: Graph) -> None:
    """Applies the rules everywhere."""
    for op in list(graph.ops()):
        stack = graph.op(op.inputs[0].op) if op.kind == "reshape" else op
        if stack is op or stack.kind != "concat" or stack.shapes[0][stack.attrs["axis"]] != len(stack.inputs):
            continue
        parts = [graph.op(value.op) for value in stack.inputs]
        if all(part.kind == "reshape" for part in parts):
            _fold(graph, op, stack, tuple(part.inputs[0] for part in parts))


def _fold(graph: Graph, op: Op, stack: Op, parts: tuple[Value, ...]) -> None:
    axis, shape = stack.attrs["axis"], stack.shapes[0]
    before, behind = shape[:axis], shape[axis + 1 :]
    source = None if behind else _whole(graph, parts)
    joined = bool(behind) and op.shapes[0] == (*before, len(parts) * behind[0], *behind[1:])
    if source is not None and graph.shape(source) == op.shapes[0]:
        graph.become(op, "channel_shuffle", source, groups=len(parts))
    elif joined and all(graph.shape(part) == (*before, *behind) for part in parts):
        op.kind, op.colour, op.attrs = "concat", stack.colour, {"axis": axis}
        graph.rewire(op, parts)


def _whole(graph: Graph, parts: tuple[Value, ...]) -> Value | None:
    """The value whose parts these are, in order along its last dimension; None if there is none."""
    start, sources = 0, set()
    for value in parts:
        part, stop = graph.op(value.op), start + graph.shape(value)[-1]
        if part.kind != "slice" or part.attrs["ranges"] != {len(part.shapes[0]) - 1: (start, stop, 1)}:
            return None
        sources.add(part.inputs[0])
        start = stop
    source = sources.pop()
    return source if not sources and graph.shape(source)[-1] == start else None
