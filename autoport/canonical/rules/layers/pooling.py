"""A mean or maximum over all of space is a global pooling.

reduce_mean over (h, w) = global_avg_pool        reduce_max over (h, w) = global_max_pool
"""

from __future__ import annotations

from autoport.graph import Graph
from autoport.graph.axes import Axis, axis_size, leaves

SPACE = {"d", "h", "w", "t"}
KINDS = {"reduce_mean": "global_avg_pool", "reduce_max": "global_max_pool"}


def fold_reductions(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in graph.ops():
        if op.kind not in KINDS or not op.inputs:
            continue
        axes = graph.axes.get(op.inputs[0], ())
        space = {dim for dim, axis in enumerate(axes) if _is_space(axis)}
        single = {dim for dim, axis in enumerate(axes) if axis_size(axis) == 1}
        if space and space <= set(op.attrs["dims"]) <= space | single:
            op.kind = KINDS[op.kind]
            op.colour = (op.kind,)


def _is_space(axis: Axis) -> bool:
    """Whether an axis consists of spatial axes alone, as that of the pixels of a flattened map."""
    names = {atom.name for segment in axis for atom in leaves(segment)}
    return bool(names) and names <= SPACE
