"""A mean over all of space is a global pooling, whoever spells it.

reduce_mean over (h, w) = global_avg_pool        reduce_max over (h, w) = global_max_pool
"""

from __future__ import annotations

from autoport.graph import Graph

SPACE = {"d", "h", "w", "t"}
KINDS = {"reduce_mean": "global_avg_pool", "reduce_max": "global_max_pool"}


def fold_reductions(graph: Graph) -> None:
    """Applies the rule everywhere."""
    for op in graph.ops():
        if op.kind not in KINDS or not op.inputs:
            continue
        axes = graph.axes.get(op.inputs[0], ())
        space = {dim for dim, segments in enumerate(axes) if any(name in SPACE for s in segments for name, _ in s)}
        if space and space == set(op.attrs["dims"]):
            op.kind = KINDS[op.kind]
            op.colour = (op.kind,)
