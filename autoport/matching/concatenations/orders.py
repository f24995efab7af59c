"""Concatenations whose operands stand in another order on the other side.

Nothing is wrong with such a pair of models: what reads the concatenation has its weights in another
order, too. The channels are cut into the parts that the operands made, and the weights along them
are matched part by part.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate, repeat

from autoport.graph import Value
from autoport.matching.concatenations.channels import Channels, LostError, follow, in_segment
from autoport.matching.concatenations.operands import Concatenation, concatenations, operand_order
from autoport.matching.matching import Matching, Orders, Weights
from autoport.weights.piece import Piece, Weight, parse_pattern
from autoport.weights.role import Role

logger = logging.getLogger(__name__)

# Number of the part, where it starts and where it stops.
Part = tuple[int, int, int]


@dataclass(frozen=True)
class Permuted:
    """A concatenation of which the parts stand in another order on the other side.

    Attributes:
        channels: where they are found, on the Keras side and on the PyTorch side.
        parts: what they consist of, on either side.
        inner: permuted concatenations whose channels are among its operands.
    """

    channels: tuple[Channels, Channels]
    parts: tuple[list[Part], list[Part]]
    inner: set[str]


def find_orders(matching: Matching) -> Orders:
    """Follows the channels of every matched concatenation whose operands stand in another order."""
    orders = Orders()
    found: dict[str, Permuted] = {}
    known = {concatenation.node: concatenation for concatenation in concatenations(matching)}
    for node, concatenation in known.items():
        try:
            inner = _inner(concatenation, found)
            parts = _parts(concatenation, inner, found)
            if parts[0] != parts[1]:
                orders.lost.add(node)
                found[node] = Permuted(_followed(matching, node), parts, {name for name in inner if name is not None})
        except LostError as lost:
            orders.lost.add(node)
            logger.info("%s: %s", node, lost)
    for node in _consistent(known, found, orders.lost):
        _cut(matching, orders, found[node])
        orders.aligned.add(node)
        orders.lost.remove(node)
        if any(side.visible for side in found[node].channels):
            orders.visible.add(node)
    return orders


def _inner(concatenation: Concatenation, found: Mapping[str, Permuted]) -> list[str | None]:
    """For each operand of the Keras side the permuted concatenation whose channels it has."""
    order = operand_order(concatenation)
    if order is None:
        raise LostError("which of its operands belong together is open")
    sides: list[list[str | None]] = []
    for side, operands in enumerate((concatenation.left, concatenation.right)):
        owners = {atom: node for node, permuted in found.items() for atom in permuted.channels[side].atoms}
        for atom in concatenation.kept[side] & owners.keys():
            del owners[atom]  # they stay what they are next to the others, and are followed on
        if any(len(operand.atoms) > 1 and operand.atoms & owners.keys() for operand in operands):
            raise LostError("channels of another one are composed with others")
        sides.append([next((owners[atom] for atom in operand.atoms if atom in owners), None) for operand in operands])
    if [sides[0][number] for number in order] != sides[1]:
        raise LostError("the channels of one operand stand in another order on one side only")
    return sides[0]


def _followed(matching: Matching, node: str) -> tuple[Channels, Channels]:
    sides = []
    for graph, name in ((matching.left.graph, node), (matching.right.graph, matching.partner[node])):
        sides.append(follow(graph, Value(name), graph.op(name).attrs["axis"]))
    left, right = sides
    if {matching.partner.get(name): axes for name, axes in left.along.items()} != right.along:
        raise LostError("its channels reach other layers on the other side")
    return left, right


def _parts(
    concatenation: Concatenation, inner: Sequence[str | None], found: Mapping[str, Permuted]
) -> tuple[list[Part], list[Part]]:
    """Where each part of each operand stands, by its number on the Keras side."""
    order = operand_order(concatenation) or []
    if _has_constants(concatenation):
        places = [[operand.edge.position for operand in side] for side in (concatenation.left, concatenation.right)]
        if order == sorted(order) and places[0] == places[1] and not any(inner):
            return [], []
        raise LostError("constants are among its operands")
    sides: list[list[tuple[tuple[int, int], int]]] = []
    for side, operands, numbers in ((0, concatenation.left, range(len(order))), (1, concatenation.right, order)):
        sides.append([])
        for number, operand in zip(numbers, operands, strict=True):
            name = inner[number]
            parts = found[name].parts[side] if name is not None else [(0, 0, operand.size)]
            sides[side] += [((number, part), stop - start) for part, start, stop in parts]
    if sorted(sides[0]) != sorted(sides[1]):
        raise LostError("its operands have other sizes on the other side")
    names = {key: number for number, (key, _) in enumerate(sides[0])}
    left, right = (_ranges([names[key] for key, _ in side], [size for _, size in side]) for side in sides)
    return left, right


def _has_constants(concatenation: Concatenation) -> bool:
    """Whether a side makes more than its operands bring: constants are no operands."""
    sides = zip((concatenation.left, concatenation.right), concatenation.sizes, strict=True)
    return any(sum(operand.size for operand in side) != whole for side, whole in sides)


def _ranges(numbers: Sequence[int], sizes: Sequence[int]) -> list[Part]:
    stops = list(accumulate(sizes))
    return [(number, stop - size, stop) for number, size, stop in zip(numbers, sizes, stops, strict=True)]


def _consistent(known: Mapping[str, Concatenation], found: Mapping[str, Permuted], lost: Set[str]) -> list[str]:
    """Those of which every concatenation that has their channels among others knows their order."""
    sound = dict(found)

    def misread(node: str, reader: str) -> bool:
        if reader not in known or (reader in lost and reader not in sound):
            return True
        channels = sound[node].channels[0].atoms - known[reader].kept[0]
        whole = any(channels & operand.atoms for operand in known[reader].left)
        return whole and (reader not in sound or node not in sound[reader].inner)

    while True:
        atoms = [atom for permuted in sound.values() for atom in permuted.channels[0].atoms]
        unsound = [
            node
            for node, permuted in sound.items()
            if len(set(atoms)) < len(atoms)
            or permuted.inner - sound.keys()
            or any(misread(node, reader) for reader in permuted.channels[0].joined)
        ]
        if not unsound:
            return list(sound)
        for node in unsound:
            del sound[node]


def _cut(matching: Matching, orders: Orders, permuted: Permuted) -> None:
    channels, parts = permuted.channels, permuted.parts
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
                part = (number, block) if unit else (number,)
                result[Role.of(role).part(*part)] = replace(weight, pieces=pieces)
    return result


def _part(piece: Piece, axis: str, taken: tuple[int, int], unit: int) -> Piece:
    if not unit:
        return piece.take(axis, *taken)
    outer = f"{axis}_block"
    split = piece.expand(axis, [(outer, piece.sizes[axis] // unit), (axis, unit)])
    return replace(split, select={**split.select, outer: taken[0] // unit})
