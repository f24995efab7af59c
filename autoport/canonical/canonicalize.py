"""The rules in the order they run."""

from __future__ import annotations

from autoport.canonical import activations, bias, layout, padding, pooling
from autoport.graph import Graph


def canonicalize(graph: Graph) -> Graph:
    """Rewrites a graph in place until equal computations have equal operations.

    Axes are named before padding is folded, because a padded size is needed to name a padded axis.
    """
    layout.name_axes(graph)
    bias.fold_bias(graph)
    pooling.fold_reductions(graph)
    activations.fold_activations(graph)
    padding.fold_padding(graph)
    _drop_dead(graph)
    return graph


def _drop_dead(graph: Graph) -> None:
    """Removes what was computed for its shape only, or never read."""
    for op in reversed(list(graph.ops())):
        if op.name in graph:
            graph.drop_unused(op.name)
