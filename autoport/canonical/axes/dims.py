"""Dimensions by the names of their axes, so that they can be compared across layouts.

A softmax, a reduction or a concatenation gets `over`, the names of its axes. A slice gets `taken`, a padding
`padding`, a roll `rolled`: the values of each by axis. The vocabulary tells which attributes hold dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.graph.vocabulary import by_dim


def name_dims(graph: Graph) -> None:
    """Adds the attributes; they are None where an axis has no name."""
    for op in graph.ops():
        dim_attributes = [attribute for name in op.attrs if (attribute := op.kind.attribute(name)).by_dim]
        names = _names(graph, op) if dim_attributes else {}
        for attribute in dim_attributes:
            op.attrs[str(attribute.by_dim)] = _by_name(by_dim(op.attrs[attribute.name]), names)


def _by_name(values: Mapping[int, Any] | None, names: Mapping[int, str]) -> tuple[Any, ...] | None:
    if values is None or any(dim not in names for dim in values):
        return None
    return tuple(sorted(names[dim] if value is None else (names[dim], value) for dim, value in values.items()))


def _names(graph: Graph, op: Op) -> dict[int, str]:
    """Names along each dimension of an operation's input; for a concatenation, of its result."""
    if not op.inputs:
        return {}
    axes = graph.axes.get(Value(op.name) if op.kind.is_join else op.inputs[0], ())
    names = {dim: {name for segment in axis for name, _ in ax.named_sizes(segment)} for dim, axis in enumerate(axes)}
    return {dim: " ".join(sorted(names_along)) for dim, names_along in names.items() if ax.UNKNOWN not in names_along}
