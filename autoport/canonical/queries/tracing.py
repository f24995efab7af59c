"""Traces a dimension of a value back to the operand that it comes from."""

from __future__ import annotations

from math import prod

from autoport.graph import Graph, Op


def source_dim(graph: Graph, op: Op, place: int, dim: int) -> int | None:
    """The dimension of an operand that becomes a dimension of the result, whole and alone; None if there is none.

    Args:
        graph: the whole graph.
        op: an operation that computes nothing across positions of that dimension, or only moves it.
        place: of the operand.
        dim: of the first result.
    """
    before, after = graph.shape(op.inputs[place]), op.shapes[0]
    if op.kind.is_pointwise:
        operand_dim = dim - len(after) + len(before)
        return operand_dim if operand_dim >= 0 and before[operand_dim] == after[dim] else None
    if op.kind == "transpose":
        return int(op.attrs["order"][dim])
    if op.kind == "reduce_sum":
        kept = [d for d in range(len(before)) if d not in op.attrs["dims"]]
        return dim if len(before) == len(after) else kept[dim]
    if op.kind == "slice":
        return None if op.attrs["ranges"] is None or dim in op.attrs["ranges"] else dim
    if op.kind == "reshape":
        fitting = (d for d, size in enumerate(before) if size == after[dim] and prod(before[:d]) == prod(after[:dim]))
        return next(fitting, None)
    moved = op.kind.moves.along(op.attrs) if op.kind.moves.rearranges and before == after else None
    return None if moved is None or dim in moved or len(op.inputs) > 1 else dim
