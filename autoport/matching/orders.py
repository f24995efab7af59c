"""Concatenations whose operands stand in another order on the other side.

Nothing is wrong with such a pair of models: what reads the concatenation has its weights in another
order, too. The channels are cut into the parts that the operands made, and the weights along them
are matched part by part.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import accumulate, repeat

from autoport.graph import Value
from autoport.matching.channels import Channels, LostError, follow, in_segment
from autoport.matching.matching import Matching, Orders, Weights
from autoport.matching.operands import Concatenation, concatenations, operand_order
from autoport.weights.piece import Piece, Weight, parse_pattern

logger = logging.getLogger(__name__)

# Number of the part, where it starts and where it stops.
Part = tuple[int, int, int]


def find_orders(matching: Matching) -> Orders:
    """Follows the channels of every matched concatenation whose operands stand in another order."""
    orders = Orders()
    found: dict[str, tuple[Channels, Channels]] = {}
    parts: dict[str, tuple[list[Part], list[Part]]] = {}
    for concatenation in concatenations(matching):
        node, order = concatenation.node, operand_order(concatenation)
        if order is None or order != sorted(order):
            orders.lost.add(node)
        if order is not None and node in orders.lost:
            try:
                parts[node] = _parts(matching, concatenation, order)
                found[node] = _followed(matching, node)
            except LostError as lost:
                logger.info("%s: %s", node, lost)
    for node in _consistent(matching, found, orders.lost):
        _cut(matching, orders, found[node], parts[node])
        orders.aligned.add(node)
        orders.lost.remove(node)
        if any(side.visible for side in found[node]):
            orders.visible.add(node)
    return orders


def _followed(matching: Matching, node: str) -> tuple[Channels, Channels]:
    sides = []
    for graph, name in ((matching.left.graph, node), (matching.right.graph, matching.partner[node])):
        sides.append(follow(graph, Value(name), graph.op(name).attrs["axis"]))
    left, right = sides
    if {matching.partner.get(name): axes for name, axes in left.along.items()} != right.along:
        raise LostError("its channels reach other layers on the other side")
    return left, right


def _parts(matching: Matching, concatenation: Concatenation, order: Sequence[int]) -> tuple[list[Part], list[Part]]:
    """Where each operand stands, by its number on the Keras side."""
    sizes = [[operand.size for operand in side] for side in (concatenation.left, concatenation.right)]
    left, right = matching.left.graph, matching.right.graph
    names = concatenation.node, matching.partner[concatenation.node]
    wholes = [g.op(n).shapes[0][g.op(n).attrs["axis"]] for g, n in zip((left, right), names, strict=True)]
    if [sizes[0][number] for number in order] != sizes[1] or [sum(found) for found in sizes] != wholes:
        raise LostError("its operands have other sizes on the other side, or are constants")
    return _ranges(range(len(order)), sizes[0]), _ranges(order, sizes[1])


def _ranges(numbers: Sequence[int], sizes: Sequence[int]) -> list[Part]:
    stops = list(accumulate(sizes))
    return [(number, stop - size, stop) for number, size, stop in zip(numbers, sizes, stops, strict=True)]


def _consistent(matching: Matching, found: Mapping[str, tuple[Channels, Channels]], lost: Set[str]) -> list[str]:
    """Those whose channels are read by no concatenation but such as are in order, or put in order themselves."""
    sound = dict(found)
    while True:
        atoms = [atom for channels, _ in sound.values() for atom in channels.atoms]
        unsound = [
            node
            for node, (channels, _) in sound.items()
            if len(set(atoms)) < len(atoms) or not channels.joined <= (matching.partner.keys() - lost) | sound.keys()
        ]
        if not unsound:
            return list(sound)
        for node in unsound:
            del sound[node]


def _cut(
    matching: Matching, orders: Orders, channels: tuple[Channels, Channels], parts: tuple[list[Part], list[Part]]
) -> None:
    for name, axes in channels[0].along.items():
        names = name, matching.partner[name]
        graphs = matching.left.graph, matching.right.graph
        both = [orders.of(graph.op(n), side).weights for side, (graph, n) in enumerate(zip(graphs, names, strict=True))]
        for axis, segment in sorted(axes, key=str):
            there = [w for weights in both for role, w in weights.items() if in_segment(role, segment)]
            pieces = [p for weight in there for p in weight.pieces if axis in p.axes]
            unit = 0 if all(map(_has_dimension, pieces, repeat(axis))) else _unit(parts)
            both = [
                _in_parts(weights, (axis, segment), ranges, unit) for weights, ranges in zip(both, parts, strict=True)
            ]
        for side in (0, 1):
            orders.weights[side][names[side]] = both[side]
    start = {number: begin for number, begin, _ in parts[0]}
    places = [start[number] + k for number, begin, stop in parts[1] for k in range(stop - begin)]
    orders.moved.update(dict.fromkeys(channels[1].atoms, places))


def _has_dimension(piece: Piece, axis: str) -> bool:
    """Whether an axis has a stored dimension of its own, of which a range can be taken."""
    return [axis] in parse_pattern(piece.pattern)


def _unit(parts: tuple[list[Part], list[Part]]) -> int:
    """Channels in the largest block that all operands are made of."""
    return math.gcd(*(edge for side in parts for _, *edges in side for edge in edges))


def _in_parts(weights: Weights, along: tuple[str, int | None], parts: Sequence[Part], unit: int) -> dict[str, Weight]:
    """One weight for each part of an axis; what does not lie along it stays as it is.

    A part is a range of a stored dimension; of an axis within one (`(h w c)`) it is cut into blocks of `unit`.
    """
    axis, segment = along
    result: dict[str, Weight] = {}
    for role, weight in weights.items():
        if not in_segment(role, segment) or not any(axis in piece.axes for piece in weight.pieces):
            result[role] = weight
            continue
        for number, start, stop in parts:
            for block, at in enumerate(range(start, stop, unit or stop - start)):
                taken = at, at + (unit or stop - start)
                pieces = tuple(_part(piece, axis, taken, unit) for piece in weight.pieces)
                result[f"{role}[{number}.{block}]" if unit else f"{role}[{number}]"] = replace(weight, pieces=pieces)
    return result


def _part(piece: Piece, axis: str, taken: tuple[int, int], unit: int) -> Piece:
    if not unit:
        return piece.take(axis, *taken)
    outer = f"{axis}_block"
    split = piece.expand(axis, [(outer, piece.sizes[axis] // unit), (axis, unit)])
    return replace(split, select={**split.select, outer: taken[0] // unit})
