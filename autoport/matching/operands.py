"""Concatenations whose operands were paired by their place although other evidence says otherwise.

    concat(relu(a), tanh(b))   and   concat(tanh(c), relu(d))

Where all four layers have the same sizes, structure alone pairs `a` with `c`, which has the same
place. What stands beside them says that it is `d`. The order of such operands is then taken to be
free: evidence settles what belongs together, or it is ambiguous.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cached_property

from autoport.canonical.evidence import Edge
from autoport.canonical.skeleton import Skeleton
from autoport.matching.keys import keys_before, numbered
from autoport.matching.matching import Matching
from autoport.matching.ties import attributes, positions, signature

# The node that an operand comes from, and what is done with it on the way.
Operand = tuple[str, Edge]


def contradicted(matching: Matching) -> tuple[frozenset[str], frozenset[str]]:
    """Concatenations of either side of which an operand is more like another one than like that at its place."""
    branches = _Branches(matching)
    found = frozenset(
        node
        for node, *sides in _concatenations(matching)
        if any(branches.crossed(*pair) for pair in branches.interchangeable(*sides))
    )
    return found, frozenset(matching.partner[node] for node in found)


def _concatenations(matching: Matching) -> Iterator[tuple[str, list[Operand], list[Operand]]]:
    """Matched concatenations whose order counts, with their operands on either side."""
    for node in matching.left.nodes:
        op = matching.left.op(node)
        if op is not None and op.kind == "concat" and node in matching.partner and node not in matching.free[0]:
            yield node, matching.left.uses(node), matching.right.uses(matching.partner[node])


class _Branches:
    """Compares what lies above operands, with all its evidence."""

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        self._above: dict[tuple[int, str], frozenset[str]] = {}

    @cached_property
    def _structure(self) -> dict[int, int]:
        """Equal numbers for places with the same structure above them."""
        return keys_before(self.matching.down, {}, dict(enumerate(self.matching.down.colours)))

    @cached_property
    def _evidence(self) -> dict[int, int]:
        """Equal numbers for places with the same sizes and hyper-parameters, and the same on their edges."""
        places, sides = self.matching.down, self.matching.read
        facts = {k: (places.colours[k], _facts(sides[places.side(k)], node)) for k, node in enumerate(places.names)}
        return numbered(facts)

    def interchangeable(self, left: list[Operand], right: list[Operand]) -> Iterator[tuple[Operand, Operand, Operand]]:
        """An operand of the left side, that at its place on the right one, and another one of the left side."""
        keys = [
            [self._structure[self.matching.place[side][source]] for source, _ in operands]
            for side, operands in enumerate((left, right))
        ]
        for p in range(min(map(len, keys))):
            for q in range(min(map(len, keys))):
                if p != q and any(own[p] == own[q] for own in keys):
                    yield left[p], right[p], left[q]

    def crossed(self, one: Operand, twin: Operand, other: Operand) -> bool:
        """Whether what stands at the place of one operand is not like it, but like another one."""
        left, right = self.matching.left, self.matching.right
        common = self._ancestors(0, left, one[0]) & self._ancestors(0, left, other[0])
        shared = {node for node in common if self.matching.partner.get(node) in self._ancestors(1, right, twin[0])}
        return not self._alike(one, twin, shared) and self._alike(other, twin, shared)

    def _alike(self, left: Operand, right: Operand, shared: set[str]) -> bool:
        """Whether two operands are the same in everything, back to nodes that are matched."""
        if signature(left[1]) != signature(right[1]):
            return False
        place, partner = self.matching.place, self.matching.partner
        numbers = {node: number for number, node in enumerate(shared)}
        anchors = {place[0][node]: number for node, number in numbers.items()}
        anchors |= {place[1][partner[node]]: number for node, number in numbers.items()}
        above = {place[0][node] for node in self._ancestors(0, self.matching.left, left[0])}
        above |= {place[1][node] for node in self._ancestors(1, self.matching.right, right[0])}
        colours = {k: self._evidence[k] for k in sorted(above - anchors.keys())}
        keys = keys_before(self.matching.down, anchors, colours) | {k: ~number for k, number in anchors.items()}
        return keys[place[0][left[0]]] == keys[place[1][right[0]]]

    def _ancestors(self, side: int, skeleton: Skeleton, node: str) -> frozenset[str]:
        """A node and all that it depends on."""
        if (side, node) not in self._above:
            found, waiting = {node}, [node]
            while waiting:
                sources = {source for source, _ in skeleton.preds.get(waiting.pop(), ())}
                waiting += sources - found
                found |= sources
            self._above[side, node] = frozenset(found)
        return self._above[side, node]


def _facts(graph: Skeleton, node: str) -> Hashable:
    op = graph.op(node)
    edges = sorted(f"{edge.position} {signature(edge)}" for _, edge in graph.uses(node))
    return attributes(graph, node), tuple(edges), positions(graph, node), op is not None and "bias" in op.weights
