"""Drops shifts in front of a softmax: a summand that is the same along its axis changes nothing.

softmax(x + 1e-9) = softmax(x - max(x)) = softmax(x)
"""

from __future__ import annotations

from collections.abc import Sequence

from autoport.graph import Graph, Op

# Operands through which a shift stays a shift. A choice is one between scores and a number that stands for minus
# infinity.
PASSED: dict[str, Sequence[int]] = {
    "reshape": (0,),
    "transpose": (0,),
    "add": (0, 1),
    "sub": (0,),
    "masked_fill": (0,),
    "where": (1, 2),
}
SCALED = {"mul", "div"}


def drop_shifts(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "softmax" and op.name in graph:
            _drop_above(graph, op)


def _drop_above(graph: Graph, softmax: Op) -> None:
    """Drops every shift that only a softmax reads, also if other operations lie between."""
    waiting = [(softmax.inputs[0], softmax.attrs["dims"])]
    while waiting:
        value, dims = waiting.pop()
        op = graph.op(value.op)
        if not graph.is_read_once(value):
            continue
        if _is_shift(graph, op, dims):
            source = op.inputs[0]
            graph.bypass(op.name, source)
            for operand in op.inputs[1:]:
                graph.drop_unused(operand.op)
            waiting.append((source, dims))
        elif op.kind in PASSED or (op.kind in SCALED and "constant" in op.attrs and not op.attrs["constant_first"]):
            # The axis of the largest value is not followed through moves.
            kept = None if op.kind in ("reshape", "transpose") else dims
            waiting += [(op.inputs[place], kept) for place in PASSED.get(op.kind, (0,)) if place < len(op.inputs)]


def _is_shift(graph: Graph, op: Op, dims: tuple[int, ...] | None) -> bool:
    """Whether an operation adds a number to everything, or subtracts the largest value along those dimensions."""
    if op.kind in ("add", "sub") and "constant" in op.attrs:
        return not op.attrs["constant_first"]
    if op.kind != "sub" or len(op.inputs) != 2:
        return False
    largest = graph.op(op.inputs[1].op)
    while largest.kind == "reshape":
        largest = graph.op(largest.inputs[0].op)
    return largest.kind == "reduce_max" and largest.inputs == op.inputs[:1] and largest.attrs["dims"] == dims
