"""Merges operations that compute the same of the same values."""

from __future__ import annotations

from collections.abc import Hashable

from autoport.graph import Graph, Op, Value


def merge_duplicates(graph: Graph) -> None:
    """Applies the rule everywhere."""
    first: dict[Hashable, str] = {}
    for op in list(graph.ops()):
        if op.weights or not op.inputs or op.kind.is_random:
            continue
        original = first.setdefault(_key(op), op.name)
        if original != op.name:
            for output in range(len(op.shapes)):
                graph.redirect(Value(op.name, output), Value(original, output))
            origin = graph.origins.get(Value(op.name))
            graph.repeated.setdefault(original, []).extend([] if origin is None else [origin])
            graph.remove_node(op.name)


def _key(op: Op) -> Hashable:
    return op.kind, op.inputs, op.shapes, repr(sorted(op.attrs.items(), key=lambda item: item[0]))
