"""The rules in the order they run."""

from __future__ import annotations

from autoport.canonical import activations, bias, clamp, dims, gelu, last_state, layout, padding, pooling
from autoport.graph import Graph


def canonicalize(graph: Graph) -> Graph:
    """Rewrites a graph in place until equal computations have equal operations.

    Biases are folded before axes are named, so that they are permuted with their kernels; padding is
    folded after, because the padded shape is needed to name a padded axis.
    """
    last_state.fold_last_step(graph)
    bias.fold_bias(graph)
    layout.name_axes(graph)
    pooling.fold_reductions(graph)
    clamp.fold_clamp(graph)
    gelu.fold_gelu(graph)
    activations.fold_activations(graph)
    dims.name_dims(graph)
    padding.fold_padding(graph)
    _drop_dead(graph)
    return graph


def _drop_dead(graph: Graph) -> None:
    """Removes what was computed for its shape only, or never read."""
    for op in reversed(list(graph.ops())):
        if op.name in graph:
            graph.drop_unused(op.name)
