"""Which of several experts an axis counts: traced back to the choice of the largest scores.

one_hot(topk(scores)), turned, weighted and summed       position k belongs to score k
"""

from __future__ import annotations

from autoport.canonical.queries.tracing import source_dim
from autoport.graph import Graph, Op, Value


def chosen_by(graph: Graph, value: Value, dim: int) -> Op | None:
    """The choice of the largest scores that counts the positions along a dimension; None if there is none."""
    op = graph.op(value.op)
    if op.kind == "one_hot" and dim == len(op.shapes[0]) - 1:
        choice = graph.op(op.inputs[0].op)
        return choice if choice.kind == "topk" and op.inputs[0].output == 1 else None
    if op.kind == "scatter" and dim == op.attrs["axis"]:
        choice = graph.op(op.inputs[1].op)
        return choice if choice.kind == "topk" and op.inputs[1].output == 1 else None
    for place in range(len(op.inputs)):
        inner = source_dim(graph, op, place, dim)
        deeper = None if inner is None else chosen_by(graph, op.inputs[place], inner)
        if deeper is not None:
            return deeper
    return None


def become_mixture(graph: Graph, op: Op, choice: Op, experts: tuple[Value, ...]) -> None:
    """Turns the sum of the experts' results into one operation on the scores and on every expert, in order."""
    op.kind, op.colour, op.attrs = "mixture", ("mixture",), {"chosen": choice.shapes[0][-1]}
    graph.rewire(op, (choice.inputs[0], *experts))
