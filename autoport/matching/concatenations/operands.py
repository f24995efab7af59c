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
class JoinedOperand:
    """One operand of a concatenation.

    Attributes:
        source: the place of its source node.
        edge: the edge from that node.
        pair: the number of the node's pair; None if the node has no partner.
        size: number of positions along the concatenated axis.
        atoms: the atoms along that axis.
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
        sizes: number of positions of its result, on either side.
        kept: the atoms along its result, on either side.
    """

    node: str
    left: list[JoinedOperand]
    right: list[JoinedOperand]
    sizes: tuple[int, int]
    kept: tuple[frozenset[Atom], frozenset[Atom]]


def concatenations(matching: Matching) -> Iterator[Concatenation]:
    """Every matched concatenation."""
    anchors = matching.anchors
    for node in matching.left.nodes:
        op = matching.left.op(node)
        if op is not None and op.kind.is_join and node in matching.partner:
            sides = [_side(matching, side, name, anchors) for side, name in enumerate((node, matching.partner[node]))]
            (left, size, kept), (right, other_size, others) = sides
            yield Concatenation(node, left, right, (size, other_size), (kept, others))


def _side(
    matching: Matching, side: int, node: str, anchors: Mapping[int, int]
) -> tuple[list[JoinedOperand], int, frozenset[Atom]]:
    """Operands of a concatenation, and number of positions and atoms of its result."""
    skeleton = (matching.left, matching.right)[side]
    graph, op = skeleton.graph, skeleton.graph.op(node)
    dim, operands = op.attrs["axis"], []
    for source, edge in skeleton.uses(node):
        place, size = matching.place[side][source], graph.shape(edge.value)[dim]
        operands.append(JoinedOperand(place, edge, anchors.get(place), size, _atoms(graph, edge.value, dim)))
    return operands, op.shapes[0][dim], _atoms(graph, Value(node), dim)


def _atoms(graph: Graph, value: Value, dim: int) -> frozenset[Atom]:
    axes = graph.axes.get(value, ())
    return frozenset(atom for segment in axes[dim] for atom in leaves(segment)) if axes else frozenset()


# Keys that tell operands apart, tried in turn.
KNOWN_BY: Sequence[Callable[[JoinedOperand], Hashable]] = (
    lambda operand: None if operand.pair is None else (operand.pair, signature(operand.edge)),
    lambda operand: operand.pair,
    lambda operand: operand.size,
)


def operand_order(concatenation: Concatenation) -> list[int] | None:
    """The place of each operand of the PyTorch concatenation among those of the Keras one; None if that is open.

    The source nodes tell operands apart. The size tells an operand without a partner, if no other operand has it.
    """
    order: dict[int, int] = {}
    for number, known_by in enumerate(KNOWN_BY):
        groups: dict[Hashable, tuple[list[int], list[int]]] = {}
        sides = (concatenation.left, order.values()), (concatenation.right, order)
        for side, (operands, settled) in enumerate(sides):
            for place, operand in enumerate(operands):
                if place not in set(settled) and known_by(operand) is not None:
                    groups.setdefault(known_by(operand), ([], []))[side].append(place)
        for left_places, right_places in groups.values():
            # Several uses of the very same value are as good as each other.
            if len(left_places) == len(right_places) and (len(left_places) == 1 or number == 0):
                order |= dict(zip(right_places, left_places, strict=True))
    complete = len(order) == len(concatenation.left) == len(concatenation.right)
    return [order[place] for place in sorted(order)] if complete else None
