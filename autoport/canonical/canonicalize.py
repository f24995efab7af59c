"""The rules in the order they run."""

from __future__ import annotations

from autoport.canonical.axes import dims, layout
from autoport.canonical.rules.composite import attention, fused, loops, stacked
from autoport.canonical.rules.elementwise import activations, clamp, duplicates, gelu, neutral, powers, shifts, sorting
from autoport.canonical.rules.layers import (
    affine_norms,
    bias,
    cropping,
    lookups,
    moments,
    norms,
    padding,
    pooling,
    products,
    unit_norms,
)
from autoport.canonical.rules.positions import interleaving, last_state, moves, shuffles, turned
from autoport.graph import Graph
from autoport.graph.vocabulary import check


def canonicalize(graph: Graph) -> Graph:
    """Rewrites a graph in place until equal computations have equal operations.

    Biases are folded before axes are named, so that they are permuted with their kernels, and so is
    attention, which names heads; padding is folded after, because the padded shape is needed to name a
    padded axis. A fused layer is split when its axes have names, before its weights are spelled in them.
    """
    _drop_dead(graph)
    neutral.drop_neutral(graph)
    powers.name_powers(graph)
    sorting.fold_sorting(graph)
    moves.drop_moves(graph)
    duplicates.merge_duplicates(graph)
    last_state.fold_last_step(graph)
    stacked.fold_stacked(graph)
    products.fold_products(graph)
    loops.fold_loops(graph)
    turned.fold_turned(graph)
    lookups.fold_lookups(graph)
    shuffles.fold_shuffles(graph)
    interleaving.fold_interleaved(graph)
    bias.fold_bias(graph)
    moments.fold_moments(graph)
    affine_norms.fold_affine_norms(graph)
    norms.fold_norms(graph)
    unit_norms.fold_unit_norms(graph)
    shifts.drop_shifts(graph)
    attention.fold_attention(graph)
    bindings = layout.name_axes(graph)
    bindings += layout.bindings_of(graph, fused.split_layers(graph))
    layout.expand_weights(bindings)
    pooling.fold_reductions(graph)
    clamp.fold_clamp(graph)
    gelu.fold_gelu(graph)
    activations.fold_activations(graph)
    padding.fold_filled(graph)
    dims.name_dims(graph)
    cropping.fold_cropping(graph)
    padding.fold_padding(graph)
    _drop_dead(graph)
    for op in graph.ops():
        check(op.kind, op.attrs, op.weights)
    return graph


def _drop_dead(graph: Graph) -> None:
    """Removes operations without consumers, such as those that were computed for their shapes only."""
    for op in reversed(list(graph.ops())):
        if op.name in graph:
            graph.drop_unused(op.name)
