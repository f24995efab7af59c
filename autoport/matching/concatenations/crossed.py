"""Concatenations whose operands were paired by their place although other evidence says otherwise.

    concat(relu(a), tanh(b))   and   concat(tanh(c), relu(d))

Where all four layers have the same sizes, structure alone pairs `a` with `c`, which has the same place.
The activations say that it is `d`. So the order of such operands is set free: evidence settles which
operands belong together, or they are ambiguous.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

from autoport.matching.concatenations.operands import Concatenation, JoinedOperand, concatenations
from autoport.matching.keys import keys_before, number_equal
from autoport.matching.matching import Matching
from autoport.matching.skeleton import Skeleton
from autoport.matching.ties import attributes, positions, signature


def find_crossed(matching: Matching) -> tuple[frozenset[str], frozenset[str]]:
    """Concatenations of either side with an operand that is more like another one than like the one at its place."""
    branches = _Branches(matching)
    crossed_left = frozenset(
        concatenation.node
        for concatenation in concatenations(matching)
        if concatenation.node not in matching.free[0] and branches.crossed(concatenation)
    )
    return crossed_left, frozenset(matching.partner[node] for node in crossed_left)


class _Branches:
    """Compares the operations above operands, with all their evidence."""

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        self.anchors = matching.anchors
        self._above: dict[int, frozenset[int]] = {}

    @cached_property
    def _structure(self) -> dict[int, int]:
        """Equal numbers for places with the same structure above them."""
        return keys_before(self.matching.down, {}, dict(enumerate(self.matching.down.colours)))

    @cached_property
    def _evidence(self) -> dict[int, int]:
        """Equal numbers for places with the same sizes and hyper-parameters, and the same on their edges."""
        places, sides = self.matching.down, self.matching.skeletons
        facts = {k: (places.colours[k], _facts(sides[places.side(k)], node)) for k, node in enumerate(places.names)}
        return number_equal(facts)

    @cached_property
    def _all_evidence(self) -> dict[int, int]:
        """Equal numbers for places with the same evidence all the way above them."""
        return keys_before(self.matching.down, {}, self._evidence)

    def crossed(self, concatenation: Concatenation) -> bool:
        """Whether an operand is not like the one at its place, but like another one with the same structure."""
        pairs = list(zip(concatenation.left, concatenation.right, strict=False))
        groups: dict[tuple[int, int], list[tuple[JoinedOperand, JoinedOperand]]] = {}
        for pair in pairs:
            for side, operand in enumerate(pair):
                groups.setdefault((side, self._structure[operand.source]), []).append(pair)
        return any(len(group) > 1 and self._crossed(group) for group in groups.values())

    def _crossed(self, group: list[tuple[JoinedOperand, JoinedOperand]]) -> bool:
        if all(self._all_evidence[a.source] == self._all_evidence[b.source] and _edges(a, b) for a, b in group):
            return False
        keys = self._keys(group)
        alike = [[keys[a.source] == keys[b.source] and _edges(a, b) for a, _ in group] for _, b in group]
        return any(not row[place] and any(row) for place, row in enumerate(alike))

    def _keys(self, group: list[tuple[JoinedOperand, JoinedOperand]]) -> dict[int, int]:
        """Equal numbers for operands with the same evidence above them, back to their common ancestors."""
        above = [[self._with_ancestors(operand.source) for operand in side] for side in zip(*group, strict=True)]
        anchors_above = [{self.anchors.get(place) for place in frozenset.intersection(*side)} for side in above]
        common = anchors_above[0] & anchors_above[1] - {None}
        places = sorted(frozenset.union(*above[0], *above[1]))
        anchors = {place: self.anchors[place] for place in places if self.anchors.get(place) in common}
        colours = {place: self._evidence[place] for place in places if place not in anchors}
        return keys_before(self.matching.down, anchors, colours) | {k: ~number for k, number in anchors.items()}

    def _with_ancestors(self, place: int) -> frozenset[int]:
        """A place and all places that it depends on."""
        if place not in self._above:
            reached, waiting = {place}, [place]
            while waiting:
                sources = {source for source, _ in self.matching.down.sources[waiting.pop()]} - reached
                waiting += sources
                reached |= sources
            self._above[place] = frozenset(reached)
        return self._above[place]


def _edges(one: JoinedOperand, other: JoinedOperand) -> bool:
    """Whether two operands have the same operations on their edges."""
    return signature(one.edge) == signature(other.edge)


def _facts(skeleton: Skeleton, node: str) -> Hashable:
    op = skeleton.op(node)
    edges = sorted(f"{edge.position} {signature(edge)}" for _, edge in skeleton.uses(node))
    return attributes(skeleton, node), tuple(edges), positions(skeleton, node), op is not None and "bias" in op.weights
