"""Pairs of matched operations with the weights that both have, and what is left without a partner."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autoport.comparison.agreement import Refusal, pair_weights, roles_of
from autoport.comparison.doubts import Doubt
from autoport.facts.framework import Both, Framework, TwoSided
from autoport.facts.reasons import Code, Reason
from autoport.graph import Graph, Op
from autoport.matching import Matching
from autoport.weights.pair import WeightPair
from autoport.weights.piece import Weight


@dataclass(frozen=True)
class Pair(TwoSided[Op]):
    """Two matched operations with weights.

    Attributes:
        tf: the Keras operation.
        torch: the PyTorch operation.
        weights: their weights by role, with both layouts.
        reason: why the operations are a pair.
    """

    tf: Op
    torch: Op
    weights: tuple[WeightPair, ...]
    reason: Reason


@dataclass(frozen=True)
class Unmatched:
    """An operation, or a tensor that no operation reads, without a partner.

    Attributes:
        op: the operation; None for a tensor that the forward pass does not read.
        tensors: paths of its tensors.
        reason: why it has no partner.
    """

    op: Op | None
    tensors: tuple[str, ...]
    reason: Reason


def find_unmatched(
    matching: Matching, side: Framework, refused: Mapping[str, Reason], matched: Collection[str]
) -> list[Unmatched]:
    """Operations and tensors of a side that have no partner, or are refused.

    Args:
        matching: the pairs of nodes.
        side: whose.
        refused: tensors of matched operations that are refused, with reasons.
        matched: tensors that are matched elsewhere.
    """
    graph = Both(matching.left, matching.right)[side].graph
    free = Both(matching.free_left, matching.free_right)[side]
    ambiguous, read_paths = Both(*matching.ambiguous)[side], graph.read_tensors()
    rows = []
    for op in graph.ops():
        if op.name in free and not any(path in matched for path in op.tensors):
            dead = op.tensors and read_paths.isdisjoint(op.tensors)
            reason = Reason(Code.DEAD if dead else _code(graph, op))
            rows.append(Unmatched(op, tuple(op.tensors), ambiguous.get(op.name, reason)))
    rows += [Unmatched(None, (path,), reason) for path, reason in refused.items()]
    used = {path for op in graph.ops() for path in op.tensors} | graph.ignored.keys()
    rows += [
        Unmatched(None, (path,), Reason(Code.NO_READER))
        for path, tensor in graph.tensors.items()
        if tensor.trainable and path not in used and path not in matched
    ]
    return rows


def _code(graph: Graph, op: Op) -> Code:
    """Why an operation that outputs depend on has no partner."""
    readers = [graph.op(name).kind for name in graph.successors(op.name)] if op.kind.is_parameter else []
    computed = any(kind.computes_weights for kind in (op.kind, *readers))
    return Code.COMPUTED if computed else Code.NO_PARTNER


def _weights(tf: Op, torch: Op, doubt: Doubt | None) -> tuple[list[WeightPair], list[Refusal]]:
    """Pairs of weights by role, and refusals."""
    roles = roles_of(tf, torch)
    if doubt is not None and doubt.roles is None:
        return [], [Refusal(role, doubt.reason) for role in roles]
    pairs, refusals = pair_weights(tf, torch)
    if doubt is None:
        return pairs, refusals
    # A constant stands for the weight that one side lacks: it has no order.
    filled = {pair.role for pair in pairs if pair.tf is None or pair.torch is None}
    doubted = [role for role in roles if role not in filled and doubt.concerns(role)]
    others = [refusal for refusal in refusals if refusal.role not in doubted]
    certain = [pair for pair in pairs if pair.role not in doubted]
    return certain, [*(Refusal(role, doubt.reason) for role in doubted), *others]


def pair_tensors(matching: Matching, doubts: Mapping[str, Doubt]) -> tuple[list[Pair], Both[dict[str, Reason]]]:
    """Pairs with weights, and refused tensors of each side with reasons."""
    reasons = {pair.left: pair.reason for pair in matching.pairs}
    pairs: list[Pair] = []
    refused: Both[dict[str, Reason]] = Both({}, {})
    for node in matching.left.nodes:
        tf = matching.left.op(node)
        torch = matching.right.op(matching.partner[node]) if node in matching.partner else None
        if tf is None or torch is None or not (tf.weights or torch.weights):
            continue
        tf, torch = matching.orders.of(tf, 0), matching.orders.of(torch, 1)
        weights, refusals = _weights(tf, torch, doubts.get(node))
        pair = Pair(tf, torch, tuple(weights), reasons[node])
        pairs.append(pair)
        for refusal in refusals:
            reason = Reason.of(Code.ROLE, role=refusal.role, reason=refusal.reason)
            for side in Framework:
                weight = pair[side].weights.get(refusal.role, Weight())
                refused[side].update({piece.tensor: reason for piece in weight.pieces})
    return pairs, refused
