"""Sorts values where TensorFlow sorts their negatives, because its top-k knows only the largest first.

argsort(-x, largest first) = argsort(-x - 1, largest first) = argsort(x)
-sort(-x, largest first) = sort(x)
"""

from __future__ import annotations

from autoport.graph import Graph, Op, Value


def fold_sorting(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "sort":
            negated, readers = _negated_source(graph, op), _negations(graph, Value(op.name))
            if negated is not None and readers is not None:
                _sort_itself(graph, op, *negated)
                for reader in readers:
                    graph.bypass(reader.name, reader.inputs[0])


def _sort_itself(graph: Graph, op: Op, first_reader: Op, source: Value) -> None:
    """Lets an operation sort the values whose negatives it sorted."""
    graph.rewire(first_reader, (source,))
    op.attrs = {"dims": op.attrs["dims"], "descending": not op.attrs["descending"]}


def _negated_source(graph: Graph, op: Op) -> tuple[Op, Value] | None:
    """The value whose negative an operation reads, up to a shift and moves, and the first consumer of that negative."""
    first_reader, producer = op, graph.op(op.inputs[0].op)
    while producer.kind == "transpose" and graph.out_degree(producer.name) == 1:
        first_reader, producer = producer, graph.op(producer.inputs[0].op)
    while producer.kind in ("add", "sub") and "constant" in producer.attrs and not producer.attrs["constant_first"]:
        producer = graph.op(producer.inputs[0].op)
    return (first_reader, producer.inputs[0]) if producer.kind == "neg" else None


def _negations(graph: Graph, value: Value) -> list[Op] | None:
    """Operations that negate the sorted values, also behind moves; None if anything else reads them."""
    if value in graph.outputs:
        return None
    negations: list[Op] = []
    for reader in [graph.op(name) for name in graph.successors(value.op)]:
        if value not in reader.inputs:
            continue
        below = [reader] if reader.kind == "neg" else None
        if reader.kind in ("transpose", "reshape"):
            below = _negations(graph, Value(reader.name))
        if below is None:
            return None
        negations += below
    return negations
