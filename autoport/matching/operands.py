"""Which operands of two matched concatenations belong together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoport.canonical.evidence import Edge
from autoport.graph.axes import Atom, leaves
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
    """

    node: str
    left: list[Operand]
    right: list[Operand]
    sizes: tuple[int, int]


def concatenations(matching: Matching) -> Iterator[Concatenation]:
    """All that are matched."""
    anchors = matching.anchors
    for node in matching.left.nodes:
        op = matching.left.op(node)
        if op is not None and op.kind == "concat" and node in matching.partner:
            names = node, matching.partner[node]
            left, right = (list(_operands(matching, side, name, anchors)) for side, name in enumerate(names))
            other = matching.right.graph.op(names[1])
            yield Concatenation(
                node, left, right, (op.shapes[0][op.attrs["axis"]], other.shapes[0][other.attrs["axis"]])
            )


def _operands(matching: Matching, side: int, node: str, anchors: Mapping[int, int]) -> Iterator[Operand]:
    skeleton = (matching.left, matching.right)[side]
    graph = skeleton.graph
    dim = graph.op(node).attrs["axis"]
    for source, edge in skeleton.uses(node):
        place, axes = matching.place[side][source], graph.axes.get(edge.value, ())
        atoms = frozenset(atom for segment in axes[dim] for atom in leaves(segment)) if axes else frozenset()
        yield Operand(place, edge, anchors.get(place), graph.shape(edge.value)[dim], atoms)


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
