"""Which of several experts an axis counts: traced back to the choice of the largest scores.

one_hot(topk(scores)), turned, weighted and summed       position k belongs to score k
"""

from __future__ import annotations

from math import prod

from autoport.graph import Graph, Op, Value

POINTWISE = {
    *("add", "sub", "mul", "div", "maximum", "minimum", "neg", "abs", "square", "sqrt", "rsqrt", "reciprocal", "exp"),
    *("log", "erf", "pow", "sigmoid", "tanh", "relu", "relu6", "silu", "gelu", "softplus", "clamp", "leaky_relu"),
}


def source_dim(graph: Graph, op: Op, place: int, dim: int) -> int | None:
    """The dimension of an operand that a dimension of an operation's result is, whole and alone; None if there is none.

    Args:
        graph: the whole graph.
        op: an operation that computes nothing across positions of that dimension, or only moves it.
        place: of the operand.
        dim: of the first result.
    """
    before, after = graph.shape(op.inputs[place]), op.shapes[0]
    if op.kind in POINTWISE:
        found = dim - len(after) + len(before)
        return found if found >= 0 and before[found] == after[dim] else None
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
    return None


def chosen_by(graph: Graph, value: Value, dim: int) -> Op | None:
    """The choice of the largest scores that positions along a dimension are counted by; None if there is none."""
    op = graph.op(value.op)
    if op.kind == "one_hot" and dim == len(op.shapes[0]) - 1:
        choice = graph.op(op.inputs[0].op)
        return choice if choice.kind == "topk" and op.inputs[0].output == 1 else None
    if op.kind == "scatter" and dim == op.attrs["axis"]:
        choice = graph.op(op.inputs[1].op)
        return choice if choice.kind == "topk" and op.inputs[1].output == 1 else None
    for place in range(len(op.inputs)):
        inner = source_dim(graph, op, place, dim)
        found = None if inner is None else chosen_by(graph, op.inputs[place], inner)
        if found is not None:
            return found
    return None


def become_mixture(graph: Graph, op: Op, choice: Op, experts: tuple[Value, ...]) -> None:
    """Turns the sum of what experts make into one operation on the scores and on every expert, in order."""
    op.kind, op.colour, op.attrs = "mixture", ("mixture",), {"chosen": choice.attrs["k"]}
    graph.rewire(op, (choice.inputs[0], *experts))
