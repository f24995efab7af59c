"""Which part of the two models a tap is about: what lies between it and the taps before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import fx

from autoport.matching import Matching
from autoport.verify.comparing.taps import EDGE, NODE, Tap


@dataclass
class Region:
    """A part of the models.

    Attributes:
        nodes: skeleton nodes of the Keras side that are computed in it.
        edges: nodes of which the edges to them lie in it.
    """

    nodes: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)


class Regions:
    """The parts into which taps cut the models."""

    def __init__(self, matching: Matching, taps: Sequence[Tap]) -> None:
        self._matching = matching
        self._made = {tap.node for tap in taps if tap.kind == NODE}
        self._read = {tap.node for tap in taps if tap.kind == EDGE}
        self._at: dict[fx.Node, list[Tap]] = defaultdict(list)
        for tap in taps:
            if tap.reader is None:
                self._at[tap.torch[0]].append(tap)
        self._parents = {tap: self._before(tap) for tap in taps}
        self._children: dict[Tap, list[Tap]] = defaultdict(list)
        for tap, parents in self._parents.items():
            for parent in parents:
                self._children[parent].append(tap)

    def parents(self, tap: Tap) -> list[Tap]:
        """Taps whose values enter the one of `tap`."""
        return self._parents[tap]

    def children(self, tap: Tap) -> list[Tap]:
        """Taps whose values the one of `tap` enters."""
        return self._children[tap]

    def of(self, tap: Tap) -> Region:
        """What lies between a tap and those before it."""
        region = Region()
        whole = tap.kind != EDGE
        if whole:
            region.nodes.append(tap.node)
        if not whole or tap.node not in self._read:
            region.edges.append(tap.node)
        self._extend(region, tap.node)
        return region

    def _extend(self, region: Region, node: str) -> None:
        """Adds nodes above that have no tap of their own."""
        for source, _ in self._matching.left.preds.get(node, ()):
            if source not in self._made and source not in region.nodes:
                region.nodes.append(source)
                if source in self._matching.partner:
                    region.edges.append(source)
                self._extend(region, source)

    def _before(self, tap: Tap) -> list[Tap]:
        start = tap.torch[0]
        waiting = [start] if tap.reader is not None else list(start.all_input_nodes)
        seen: set[fx.Node] = set()
        found: list[Tap] = []
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self._at:
                found += self._at[node]
            else:
                waiting += node.all_input_nodes
        return found
