"""Matched operations with the weights they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoport.graph import Op
from autoport.matching import Matching
from autoport.plan import WeightPair, pair_weights
from autoport.weights.piece import Weight


@dataclass(frozen=True)
class Pair:
    """Two matched operations with weights.

    Attributes:
        tf: the Keras operation.
        torch: the PyTorch operation.
        weights: their weights by role, with both layouts.
        reason: why they are a pair.
    """

    tf: Op
    torch: Op
    weights: tuple[WeightPair, ...]
    reason: str


@dataclass(frozen=True)
class Unmatched:
    """An operation, or a tensor that no operation reads, without a partner.

    Attributes:
        op: the operation; None for a tensor that the forward pass does not read.
        tensors: paths of the tensors concerned.
        reason: why it has no partner.
    """

    op: Op | None
    tensors: tuple[str, ...]
    reason: str


def _weights(tf: Op, torch: Op, doubts: Mapping[str, str]) -> tuple[list[WeightPair], list[str]]:
    """Weights by role, or the reasons for which they are refused."""
    if tf.name in doubts:
        return [], [f"{role}: {doubts[tf.name]}" for role in dict.fromkeys((*tf.weights, *torch.weights))]
    return pair_weights(tf, torch)


def pair_tensors(
    matching: Matching, doubts: Mapping[str, str]
) -> tuple[list[Pair], tuple[dict[str, str], dict[str, str]]]:
    """Pairs with weights, and refused tensors of each side with reasons."""
    reasons = {pair.left: pair.reason for pair in matching.pairs}
    pairs: list[Pair] = []
    refused: tuple[dict[str, str], dict[str, str]] = {}, {}
    for node in matching.left.nodes:
        tf = matching.left.op(node)
        torch = matching.right.op(matching.partner[node]) if node in matching.partner else None
        if tf is None or torch is None or not (tf.weights or torch.weights):
            continue
        tf, torch = matching.orders.of(tf, 0), matching.orders.of(torch, 1)
        weights, refusals = _weights(tf, torch, doubts)
        pairs.append(Pair(tf, torch, tuple(weights), reasons[node]))
        for refusal in refusals:
            role = refusal.split(":")[0]
            for side, op in enumerate((tf, torch)):
                weight = op.weights.get(role, Weight())
                refused[side].update({piece.tensor: refusal for piece in weight.pieces})
    return pairs, refused
