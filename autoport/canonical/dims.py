"""Dimensions by the names of the axes they are, so that they can be compared across layouts.

A softmax, a reduction or a concatenation gets `over`, the names of its axes; a slice gets `taken`,
the range taken along each axis that is not taken whole, a padding what it adds along each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoport.graph import Graph, Op
from autoport.graph import axes as ax

Range = tuple[int, ...]


def name_dims(graph: Graph) -> None:
    """Adds the attributes `over` and `taken`; where an axis has no name the attribute is left out."""
    for op in graph.ops():
        names = _names(graph, op)
        dims = op.attrs.get("dims", (op.attrs["axis"],) if "axis" in op.attrs else None)
        if dims is not None:
            found = [names.get(dim) for dim in dims]
            if None not in found:
                op.attrs["over"] = tuple(sorted(str(name) for name in found))
        if op.kind == "slice" and op.attrs.get("ranges") is not None:
            op.attrs["taken"] = _taken(op.attrs["ranges"], names)
        if op.kind == "pad":
            amounts = {dim: pair for dim, pair in enumerate(op.attrs["padding"]) if any(pair)}
            op.attrs["taken"] = _taken(amounts, names)


def _names(graph: Graph, op: Op) -> dict[int, str]:
    if not op.inputs:
        return {}
    axes = graph.axes.get(op.inputs[0], ())
    names = {dim: {name for segment in axis for name, _ in ax.spelled(segment)} for dim, axis in enumerate(axes)}
    return {dim: " ".join(sorted(found)) for dim, found in names.items() if ax.UNKNOWN not in found}


def _taken(ranges: Mapping[int, Range], names: Mapping[int, str]) -> tuple[Any, ...] | None:
    if any(dim not in names for dim in ranges):
        return None
    return tuple(sorted((names[dim], taken) for dim, taken in ranges.items()))
