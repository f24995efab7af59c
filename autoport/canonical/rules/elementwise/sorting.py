"""Sorting, told by the largest first as TensorFlow does.

argsort(-x, largest first) = argsort(-x - 1, largest first) = argsort(x)
-sort(-x, largest first) = sort(x)
"""

from __future__ import annotations

from autoport.graph import Graph, Op, Value


def fold_sorting(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in list(graph.ops()):
        if op.kind == "neg" and op.name in graph:
            _negate_sorted(graph, op)
        elif op.kind == "sort" and not _reads_values(graph, op):
            source = _negated(graph, op.inputs[0])
            if source is not None:
                graph.become(op, "sort", source, dims=op.attrs["dims"], descending=not op.attrs["descending"])


def _negate_sorted(graph: Graph, op: Op) -> None:
    """Lets the negative of what was sorted as negatives be what is sorted the other way round."""
    inner = graph.op(op.inputs[0].op)
    if inner.kind != "sort" or op.inputs[0].output != 0:
        return
    negated = graph.op(inner.inputs[0].op)
    if negated.kind == "neg":
        attrs = {"dims": inner.attrs["dims"], "descending": not inner.attrs["descending"]}
        graph.become(op, "sort", negated.inputs[0], **attrs)


def _reads_values(graph: Graph, op: Op) -> bool:
    """Whether more than the order is read."""
    values = [value for reader in graph.successors(op.name) for value in graph.op(reader).inputs]
    return Value(op.name) in (*values, *graph.outputs)


def _negated(graph: Graph, value: Value) -> Value | None:
    """What a value is the negative of, but for a shift."""
    op = graph.op(value.op)
    while op.kind in ("add", "sub") and "constant" in op.attrs and not op.attrs["constant_first"]:
        op = graph.op(op.inputs[0].op)
    return op.inputs[0] if op.kind == "neg" else None
