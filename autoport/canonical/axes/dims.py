"""Dimensions by the names of the axes they are, so that they can be compared across layouts.

A softmax, a reduction or a concatenation gets `over`, the names of its axes; a slice gets `taken`,
the range taken along each axis that is not taken whole; a padding gets `padding`, what is added along each axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax


def name_dims(graph: Graph) -> None:
    """Adds the attributes; where an axis has no name they are left out, or None."""
    for op in graph.ops():
        names = _names(graph, op)
        dims = op.attrs.get("dims", (op.attrs["axis"],) if "axis" in op.attrs else None)
        if dims is not None:
            found = [names.get(dim) for dim in dims]
            if None not in found:
                op.attrs["over"] = tuple(sorted(str(name) for name in found))
        if op.kind == "slice" and op.attrs.get("ranges") is not None:
            op.attrs["taken"] = _by_name(op.attrs["ranges"], names)
        if op.kind == "pad":
            added = {dim: amounts for dim, amounts in enumerate(op.attrs["amounts"]) if any(amounts)}
            op.attrs["padding"] = _by_name(added, names)


def _names(graph: Graph, op: Op) -> dict[int, str]:
    """Names along each dimension of what an operation reads; of a concatenation along those of what it makes."""
    if not op.inputs:
        return {}
    axes = graph.axes.get(Value(op.name) if op.kind == "concat" else op.inputs[0], ())
    names = {dim: {name for segment in axis for name, _ in ax.spelled(segment)} for dim, axis in enumerate(axes)}
    return {dim: " ".join(sorted(found)) for dim, found in names.items() if ax.UNKNOWN not in found}


def _by_name(values: Mapping[int, Any], names: Mapping[int, str]) -> tuple[Any, ...] | None:
    if any(dim not in names for dim in values):
        return None
    return tuple(sorted((names[dim], value) for dim, value in values.items()))
