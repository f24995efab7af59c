"""From pairs of operations to the draft of a transfer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from autoport.comparison.pairs import Pair
from autoport.facts.framework import Framework
from autoport.facts.places import Place
from autoport.facts.reasons import Code, Reason, Several
from autoport.graph import Graph, Value
from autoport.plan.absorption import Absorption, find_absorptions
from autoport.plan.draft import Draft, place_of
from autoport.plan.entry import Entry
from autoport.weights.algebra import Part, Term, same_part
from autoport.weights.pair import WeightPair, neutral_value
from autoport.weights.piece import Piece
from autoport.weights.role import Role

# Two matched operations by their places, and the reason why they are a pair.
Why = tuple[Place, Place, Reason]
# By the place of a target piece, the terms that are added to its source.
Extra = Mapping[tuple[str, str], Sequence[Term]]


def draft_transfer(pairs: Sequence[Pair], target: Graph, to: Framework) -> tuple[Draft, frozenset[Value]]:
    """Drafts one direction.

    Args:
        pairs: matched operations with their weights.
        target: graph of the side that is written.
        to: that side.

    Returns:
        The draft, and the values of the target that lack a bias which a norm further on absorbs.
    """
    weights = [weight for pair in pairs for weight in pair.weights]
    absorptions, refused, shifted = find_absorptions(target, _biases(pairs, to))
    parts, twins = _parts_by_tensor(weights, to, _extra(absorptions))
    reasons = _reasons(pairs, to)
    entries, conflicts = {}, {}
    for path, target_parts in parts.items():
        tensor = target.tensors[path]
        size = math.prod(tensor.shape)
        chosen, others = _split_repeats(target_parts, size)
        if sum(map(_extent, chosen)) == size:
            entries[path] = Entry(tensor, tuple(chosen), (*others, *twins.get(path, ())), reasons[path])
        else:
            conflicts[path] = Reason(Code.PART_MISSING)
    neutral = _neutral(weights, to)
    return Draft(entries=entries, conflicts=conflicts, neutral=neutral, refused=refused), frozenset(shifted)


def _biases(pairs: Iterable[Pair], to: Framework) -> dict[str, Piece]:
    """Biases of the source that the target lacks, by the target operation."""
    biases = {}
    for pair in pairs:
        for weight in pair.weights:
            source, written = weight.toward(to)
            if weight.role == "bias" and written is None and source is not None:
                biases[pair[to].name] = source.pieces[0]
    return biases


def _extra(absorptions: Iterable[Absorption]) -> Extra:
    extra: dict[tuple[str, str], list[Term]] = defaultdict(list)
    for absorption in absorptions:
        extra[place_of(absorption.mean)].append(Term(absorption.bias, -1.0))
    return extra


def _neutral(weights: Iterable[WeightPair], to: Framework) -> dict[str, float]:
    """By path of a source tensor without a place in the target, the value at which it changes nothing."""
    neutral: dict[str, float] = {}
    for weight in weights:
        source, written = weight.toward(to)
        value = neutral_value(weight.role)
        if source is not None and written is None and value is not None:
            neutral.update({piece.tensor: value for piece in source.pieces})
    return neutral


def _parts_by_tensor(
    weights: Iterable[WeightPair], to: Framework, extra: Extra
) -> tuple[dict[str, list[Part]], dict[str, list[Part]]]:
    """Parts of each target tensor, and its twins: further parts that compete for the place of another one."""
    parts: dict[str, dict[tuple[str, str], Part]] = defaultdict(dict)
    twins: dict[str, list[Part]] = defaultdict(list)
    for weight in weights:
        for part in _parts(weight, to, extra):
            path = part.target.tensor
            first = parts[path].setdefault(place_of(part.target), part)
            if not same_part(first, part):
                twins[path].append(part)
    return {path: list(by_place.values()) for path, by_place in parts.items()}, twins


def _split_repeats(parts: list[Part], size: int) -> tuple[list[Part], list[Part]]:
    """Parts that make up a tensor, and parts that repeat some of it: a layer is split at one of its uses only."""
    complete = [part for part in parts if _extent(part) == size][:1]
    return (complete, [part for part in parts if part not in complete]) if complete else (parts, [])


def _extent(part: Part) -> int:
    """Number of elements in a part."""
    return math.prod(part.target.axes.values())


def _parts(weight: WeightPair, to: Framework, extra: Extra) -> list[Part]:
    source, target = weight.toward(to)
    if target is None:
        return []
    if source is None:
        first, *others = target.pieces
        return [Part(first, fill=neutral_value(weight.role) or 0.0), *(Part(piece, fill=0.0) for piece in others)]
    if len(source.pieces) == len(target.pieces):
        return [
            Part(t, (Term(s), *extra.get(place_of(t), ()))) for s, t in zip(source.pieces, target.pieces, strict=True)
        ]
    first, *others = target.pieces
    return [Part(first, tuple(Term(piece) for piece in source.pieces))] + [Part(piece) for piece in others]


def _reasons(pairs: Iterable[Pair], to: Framework) -> dict[str, tuple[Reason, ...]]:
    """For every target tensor, the pairs of operations that read it, and why they are pairs."""
    roles: dict[str, dict[Why, dict[Role, None]]] = defaultdict(lambda: defaultdict(dict))
    for pair in pairs:
        why = pair.tf.place, pair.torch.place, pair.reason
        for weight in pair.weights:
            written = weight[to]
            for piece in written.pieces if written is not None else ():
                roles[piece.tensor][why][weight.role] = None
    return {
        path: tuple(
            Reason.of(Code.BELONGS, roles=Several(read_as), tf=tf, torch=torch, reason=reason)
            for (tf, torch, reason), read_as in reasons.items()
        )
        for path, reasons in roles.items()
    }
