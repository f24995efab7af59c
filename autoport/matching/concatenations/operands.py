"""Which operands of two matched concatenations belong together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoport.graph import Graph, Value
from autoport.graph.axes import Atom, leaves
from autoport.matching.evidence import Edge
from autoport.matching.matching import Matching
from autoport.matching.ties import signature


@dataclass(frozen=True)
class Operand:
    """One operand of a concatenation.

    Attributes:
        source: the place of the node that it comes from.
        edge: what is done with it on the way.
        pair: the number of the pair that the node is part of; None if it has no partner.
        size: number of positions along the axis that is concatenated.
        atoms: what these positions are.
    """

    source: int
    edge: Edge
    pair: int | None
    size: int
    atoms: frozenset[Atom]


@dataclass(frozen=True)
class Concatenation:
    """A matched concatenation.

    Attributes:
        node: its name on the Keras side.
        left: the operands on that side, in order.
        right: those on the PyTorch side.
        sizes: number of positions that it makes on either side.
        kept: the atoms along what it makes, on either side.
    """

    node: str
    left: list[Operand]
    right: list[Operand]
    sizes: tuple[int, int]
    kept: tuple[frozenset[Atom], frozenset[Atom]]


def concatenations(matching: Matching) -> Iterator[Concatenation]:
    """All that are matched."""
    anchors = matching.anchors
    for node in matching.left.nodes:
        op = matching.left.op(node)
        if op is not None and op.kind.is_join and node in matching.partner:
            found = [_side(matching, side, name, anchors) for side, name in enumerate((node, matching.partner[node]))]
            (left, size, kept), (right, other, theirs) = found
            yield Concatenation(node, left, right, (size, other), (kept, theirs))


def _side(
    matching: Matching, side: int, node: str, anchors: Mapping[int, int]
) -> tuple[list[Operand], int, frozenset[Atom]]:
    """Operands of a concatenation, how many positions it makes, and of which atoms."""
    skeleton = (matching.left, matching.right)[side]
    graph, op = skeleton.graph, skeleton.graph.op(node)
    dim, operands = op.attrs["axis"], []
    for source, edge in skeleton.uses(node):
        place, size = matching.place[side][source], graph.shape(edge.value)[dim]
        operands.append(Operand(place, edge, anchors.get(place), size, _atoms(graph, edge.value, dim)))
    return operands, op.shapes[0][dim], _atoms(graph, Value(node), dim)


def _atoms(graph: Graph, value: Value, dim: int) -> frozenset[Atom]:
    axes = graph.axes.get(value, ())
    return frozenset(atom for segment in axes[dim] for atom in leaves(segment)) if axes else frozenset()


# What an operand is known by, in turn.
KNOWN_BY: Sequence[Callable[[Operand], Hashable]] = (
    lambda operand: None if operand.pair is None else (operand.pair, signature(operand.edge)),
    lambda operand: operand.pair,
    lambda operand: operand.size,
)


def operand_order(concatenation: Concatenation) -> list[int] | None:
    """For each operand of the PyTorch concatenation its place among those of the Keras one; None if that is open.

    Operands are known by the nodes that they come from; what has no partner among them is known by its size, if no
    other has that.
    """
    order: dict[int, int] = {}
    for number, known_by in enumerate(KNOWN_BY):
        groups: dict[Hashable, tuple[list[int], list[int]]] = {}
        for side, (found, done) in enumerate(((concatenation.left, order.values()), (concatenation.right, order))):
            for place, operand in enumerate(found):
                if place not in set(done) and known_by(operand) is not None:
                    groups.setdefault(known_by(operand), ([], []))[side].append(place)
        for here, there in groups.values():
            # Several uses of the very same value are as good as each other.
            if len(here) == len(there) and (len(here) == 1 or number == 0):
                order |= dict(zip(there, here, strict=True))
    complete = len(order) == len(concatenation.left) == len(concatenation.right)
    return [order[place] for place in sorted(order)] if complete else None
