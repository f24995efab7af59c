"""Concatenations whose operands stand in another order on the other side.

Nothing is wrong with such a pair of models: the consumers of the concatenation have their weights in another
order, too. The channels are cut into one part for each operand, and the weights along them are matched part
by part.
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
PartRange = tuple[int, int, int]


@dataclass(frozen=True)
class Permutation:
    """A concatenation whose parts stand in another order on the other side.

    Attributes:
        channels: its channels, on the Keras side and on the PyTorch side.
        parts: the ranges of channels, on either side.
        inner: permuted concatenations whose channels are among its operands.
    """

    channels: tuple[Channels, Channels]
    parts: tuple[list[PartRange], list[PartRange]]
    inner: set[str]


def find_orders(matching: Matching) -> Orders:
    """Follows the channels of every matched concatenation whose operands stand in another order."""
    orders = Orders()
    permutations: dict[str, Permutation] = {}
    by_node = {concatenation.node: concatenation for concatenation in concatenations(matching)}
    for node, concatenation in by_node.items():
        try:
            inner = _inner(concatenation, permutations)
            parts = _parts(concatenation, inner, permutations)
            if parts[0] != parts[1]:
                orders.lost.add(node)
                permutations[node] = Permutation(
                    _follow_both(matching, node), parts, {name for name in inner if name is not None}
                )
        except LostError as lost:
            orders.lost.add(node)
            logger.info("%s: %s", node, lost)
    for node in _consistent(by_node, permutations, orders.lost):
        _cut(matching, orders, permutations[node])
        orders.aligned.add(node)
        orders.lost.remove(node)
        if any(side.visible for side in permutations[node].channels):
            orders.visible.add(node)
    return orders


def _inner(concatenation: Concatenation, permutations: Mapping[str, Permutation]) -> list[str | None]:
    """For each operand of the Keras side the permuted concatenation whose channels it holds."""
    order = operand_order(concatenation)
    if order is None:
        raise LostError("which of its operands belong together is open")
    sides: list[list[str | None]] = []
    for side, operands in enumerate((concatenation.left, concatenation.right)):
        owners = {atom: node for node, permutation in permutations.items() for atom in permutation.channels[side].atoms}
        for atom in concatenation.kept[side] & owners.keys():
            del owners[atom]  # they stay what they are next to the others, and are followed on
        if any(len(operand.atoms) > 1 and operand.atoms & owners.keys() for operand in operands):
            raise LostError("channels of another one are composed with others")
        sides.append([next((owners[atom] for atom in operand.atoms if atom in owners), None) for operand in operands])
    if [sides[0][number] for number in order] != sides[1]:
        raise LostError("the channels of one operand stand in another order on one side only")
    return sides[0]


def _follow_both(matching: Matching, node: str) -> tuple[Channels, Channels]:
    sides = []
    for graph, name in ((matching.left.graph, node), (matching.right.graph, matching.partner[node])):
        sides.append(follow(graph, Value(name), graph.op(name).attrs["axis"]))
    left, right = sides
    if {matching.partner.get(name): axes for name, axes in left.along.items()} != right.along:
        raise LostError("its channels reach other layers on the other side")
    return left, right


def _parts(
    concatenation: Concatenation, inner: Sequence[str | None], permutations: Mapping[str, Permutation]
) -> tuple[list[PartRange], list[PartRange]]:
    """The range of each part of each operand, by its number on the Keras side."""
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
            parts = permutations[name].parts[side] if name is not None else [(0, 0, operand.size)]
            sides[side] += [((number, part), stop - start) for part, start, stop in parts]
    if sorted(sides[0]) != sorted(sides[1]):
        raise LostError("its operands have other sizes on the other side")
    names = {key: number for number, (key, _) in enumerate(sides[0])}
    left, right = (_ranges([names[key] for key, _ in side], [size for _, size in side]) for side in sides)
    return left, right


def _has_constants(concatenation: Concatenation) -> bool:
    """Whether a result is longer than the operands together: constants do not count as operands."""
    sides = zip((concatenation.left, concatenation.right), concatenation.sizes, strict=True)
    return any(sum(operand.size for operand in side) != total for side, total in sides)


def _ranges(numbers: Sequence[int], sizes: Sequence[int]) -> list[PartRange]:
    stops = list(accumulate(sizes))
    return [(number, stop - size, stop) for number, size, stop in zip(numbers, sizes, stops, strict=True)]


def _consistent(
    by_node: Mapping[str, Concatenation], permutations: Mapping[str, Permutation], lost: Set[str]
) -> list[str]:
    """Permuted concatenations whose order is known to every concatenation that joins their channels with others."""
    sound = dict(permutations)

    def misread(node: str, reader: str) -> bool:
        if reader not in by_node or (reader in lost and reader not in sound):
            return True
        channels = sound[node].channels[0].atoms - by_node[reader].kept[0]
        is_operand = any(channels & operand.atoms for operand in by_node[reader].left)
        return is_operand and (reader not in sound or node not in sound[reader].inner)

    while True:
        atoms = [atom for permutation in sound.values() for atom in permutation.channels[0].atoms]
        unsound = [
            node
            for node, permutation in sound.items()
            if len(set(atoms)) < len(atoms)
            or permutation.inner - sound.keys()
            or any(misread(node, reader) for reader in permutation.channels[0].joined)
        ]
        if not unsound:
            return list(sound)
        for node in unsound:
            del sound[node]


def _cut(matching: Matching, orders: Orders, permutation: Permutation) -> None:
    channels, parts = permutation.channels, permutation.parts
    for name, axes in channels[0].along.items():
        names = name, matching.partner[name]
        graphs = matching.left.graph, matching.right.graph
        both = [orders.of(graph.op(n), side).weights for side, (graph, n) in enumerate(zip(graphs, names, strict=True))]
        for axis, segment in sorted(axes, key=str):
            affected = [w for weights in both for role, w in weights.items() if in_segment(role, segment)]
            pieces = [p for weight in affected for p in weight.pieces if axis in p.axes]
            unit = 0 if all(map(_has_dimension, pieces, repeat(axis))) else _unit(parts)
            both = [
                _cut_weights(weights, (axis, segment), ranges, unit)
                for weights, ranges in zip(both, parts, strict=True)
            ]
        for side in (0, 1):
            orders.weights[side][names[side]] = both[side]
    start = {number: begin for number, begin, _ in parts[0]}
    places = [start[number] + k for number, begin, stop in parts[1] for k in range(stop - begin)]
    orders.moved.update(dict.fromkeys(channels[1].atoms, places))


def _has_dimension(piece: Piece, axis: str) -> bool:
    """Whether an axis has a stored dimension of its own, so that a range of it is a slice."""
    return [axis] in parse_pattern(piece.pattern)


def _unit(parts: tuple[list[PartRange], list[PartRange]]) -> int:
    """Channels in the largest block that divides all parts."""
    return math.gcd(*(edge for side in parts for _, *edges in side for edge in edges))


def _cut_weights(
    weights: Weights, along: tuple[str, int | None], parts: Sequence[PartRange], unit: int
) -> dict[str, Weight]:
    """One weight for each part of an axis; weights that do not lie along it stay as they are.

    A part is a range of a stored dimension. An axis within a dimension (`(h w c)`) is cut into blocks of `unit`.
    """
    axis, segment = along
    result: dict[str, Weight] = {}
    for role, weight in weights.items():
        if not in_segment(role, segment) or not any(axis in piece.axes for piece in weight.pieces):
            result[role] = weight
            continue
        for number, start, stop in parts:
            for block, at in enumerate(range(start, stop, unit or stop - start)):
                bounds = at, at + (unit or stop - start)
                pieces = tuple(_cut_piece(piece, axis, bounds, unit) for piece in weight.pieces)
                part = (number, block) if unit else (number,)
                result[Role.of(role).part(*part)] = replace(weight, pieces=pieces)
    return result


def _cut_piece(piece: Piece, axis: str, bounds: tuple[int, int], unit: int) -> Piece:
    if not unit:
        return piece.take(axis, *bounds)
    outer = f"{axis}_block"
    split = piece.expand(axis, [(outer, piece.sizes[axis] // unit), (axis, unit)])
    return replace(split, select={**split.select, outer: bounds[0] // unit})
