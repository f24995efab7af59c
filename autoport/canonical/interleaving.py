"""Parts of a dimension that are stacked and laid out again are shuffled.

reshape(stack(split(x, n, -1), -1)) = channel_shuffle(x, n)      (n m) -> (m n)
"""

from __future__ import annotations

from autoport.graph import Graph, Op, Value


def fold_interleaved(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        stack = graph.op(op.inputs[0].op) if op.kind == "reshape" else op
        if stack.kind != "concat" or stack is op or stack.attrs["axis"] != len(stack.shapes[0]) - 1:
            continue
        whole = _whole(graph, stack)
        if whole is not None and graph.shape(whole) == op.shapes[0]:
            graph.become(op, "channel_shuffle", whole, groups=len(stack.inputs))


def _whole(graph: Graph, stack: Op) -> Value | None:
    """What the operands are equal parts of, in order along its last dimension; None if they are not."""
    start, wholes = 0, set()
    for value in stack.inputs:
        column = graph.op(value.op)
        part = graph.op(column.inputs[0].op) if column.kind == "reshape" else column
        stop = start + stack.shapes[0][-2]
        if part.kind != "slice" or part.attrs["ranges"] != {len(stack.shapes[0]) - 2: (start, stop, 1)}:
            return None
        wholes.add(part.inputs[0])
        start = stop
    whole = wholes.pop()
    return whole if not wholes and graph.shape(whole)[-1] == start else None
