"""Concatenations whose operands were paired by their place although other evidence says otherwise.

    concat(relu(a), tanh(b))   and   concat(tanh(c), relu(d))

Where all four layers have the same sizes, structure alone pairs `a` with `c`, which has the same
place. What stands beside them says that it is `d`. The order of such operands is then taken to be
free: evidence settles what belongs together, or it is ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Set
from functools import cached_property

from autoport.canonical.skeleton import Skeleton
from autoport.matching.keys import keys_before, numbered
from autoport.matching.matching import Matching
from autoport.matching.operands import Concatenation, Operand, concatenations
from autoport.matching.ties import attributes, positions, signature


def contradicted(matching: Matching) -> tuple[frozenset[str], frozenset[str]]:
    """Concatenations of either side of which an operand is more like another one than like that at its place."""
    branches = _Branches(matching)
    found = frozenset(
        concatenation.node
        for concatenation in concatenations(matching)
        if concatenation.node not in matching.free[0]
        and any(branches.crossed(*found) for found in branches.interchangeable(concatenation))
    )
    return found, frozenset(matching.partner[node] for node in found)


class _Branches:
    """Compares what lies above operands, with all its evidence."""

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
        places, sides = self.matching.down, self.matching.read
        facts = {k: (places.colours[k], _facts(sides[places.side(k)], node)) for k, node in enumerate(places.names)}
        return numbered(facts)

    @cached_property
    def _whole(self) -> dict[int, int]:
        """Equal numbers for places with the same evidence all the way above them."""
        return keys_before(self.matching.down, {}, self._evidence)

    def interchangeable(self, concatenation: Concatenation) -> Iterator[tuple[Operand, Operand, Operand]]:
        """An operand of the left side, that at its place on the right one, and another one of the left side."""
        pairs = list(zip(concatenation.left, concatenation.right, strict=False))
        keys = [[self._structure[operand.source] for operand in side] for side in zip(*pairs, strict=True)]
        counts = [Counter(own) for own in keys]
        for place, (left, right) in enumerate(pairs):
            several = any(count[own[place]] > 1 for count, own in zip(counts, keys, strict=True))
            if several and (
                self._whole[left.source] != self._whole[right.source] or signature(left.edge) != signature(right.edge)
            ):
                for other, (found, _) in enumerate(pairs):
                    if other != place and any(own[place] == own[other] for own in keys):
                        yield left, right, found

    def crossed(self, one: Operand, twin: Operand, other: Operand) -> bool:
        """Whether what stands at the place of one operand is not like it, but like another one."""
        common = {self.anchors.get(place) for place in self._up_to(one.source) & self._up_to(other.source)}
        shared = common & {self.anchors.get(place) for place in self._up_to(twin.source)} - {None}
        return not self._alike(one, twin, shared) and self._alike(other, twin, shared)

    def _alike(self, left: Operand, right: Operand, shared: Set[int | None]) -> bool:
        """Whether two operands are the same in everything, back to pairs that are taken for granted."""
        if signature(left.edge) != signature(right.edge):
            return False
        above = sorted(self._up_to(left.source) | self._up_to(right.source))
        anchors = {place: self.anchors[place] for place in above if self.anchors.get(place) in shared}
        colours = {place: self._evidence[place] for place in above if place not in anchors}
        keys = keys_before(self.matching.down, anchors, colours) | {k: ~number for k, number in anchors.items()}
        return keys[left.source] == keys[right.source]

    def _up_to(self, place: int) -> frozenset[int]:
        """A place and all that it depends on."""
        if place not in self._above:
            found, waiting = {place}, [place]
            while waiting:
                sources = {source for source, _ in self.matching.down.sources[waiting.pop()]} - found
                waiting += sources
                found |= sources
            self._above[place] = frozenset(found)
        return self._above[place]


def _facts(graph: Skeleton, node: str) -> Hashable:
    op = graph.op(node)
    edges = sorted(f"{edge.position} {signature(edge)}" for _, edge in graph.uses(node))
    return attributes(graph, node), tuple(edges), positions(graph, node), op is not None and "bias" in op.weights
