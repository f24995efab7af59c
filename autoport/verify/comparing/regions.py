"""The region of a tap: the part of the models between it and the taps before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from torch import fx

from autoport.matching import Matching
from autoport.verify.comparing.taps import EDGE, NODE, Tap


@dataclass
class Region:
    """A part of the models.

    Attributes:
        nodes: skeleton nodes of the Keras side that it computes.
        edges: skeleton nodes whose incoming edges lie in it.
    """

    nodes: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)


class Regions:
    """The regions into which taps cut the models."""

    def __init__(self, matching: Matching, taps: Sequence[Tap]) -> None:
        self._matching = matching
        self._made = {tap.node for tap in taps if tap.kind == NODE}
        self._read = {tap.node for tap in taps if tap.kind == EDGE}
        self._at: dict[fx.Node, list[Tap]] = defaultdict(list)
        self._of_reader: dict[fx.Node, list[Tap]] = defaultdict(list)
        for tap in taps:
            (self._at[tap.torch[0]] if tap.reader is None else self._of_reader[tap.reader]).append(tap)
        self._parents = {tap: self._nearest_taps_above(tap) for tap in taps}
        order = {node: place for place, node in enumerate(taps[0].torch[0].graph.nodes)} if taps else {}
        self._position = {tap: order[tap.torch[0] if tap.reader is None else tap.reader] for tap in taps}
        self._children: dict[Tap, list[Tap]] = defaultdict(list)
        for tap, parents in self._parents.items():
            for parent in parents:
                self._children[parent].append(tap)

    def in_order(self, taps: Iterable[Tap]) -> list[Tap]:
        """Taps in the order in which PyTorch computes them."""
        return sorted(taps, key=self._position.__getitem__)

    def parents(self, tap: Tap) -> list[Tap]:
        """The taps whose values enter the value of `tap`."""
        return self._parents[tap]

    def children(self, tap: Tap) -> list[Tap]:
        """The taps whose values the value of `tap` enters."""
        return self._children[tap]

    def of(self, tap: Tap) -> Region:
        """What lies between a tap and those before it."""
        region = Region()
        at_result = tap.kind != EDGE
        if at_result:
            region.nodes.append(tap.node)
        if not at_result or tap.node not in self._read:
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

    def _nearest_taps_above(self, tap: Tap) -> list[Tap]:
        """The first taps on every way up from a tap."""
        start = tap.torch[0]
        taps: list[Tap] = []
        waiting = [start] if tap.reader is not None else self._above(start, taps)
        seen: set[fx.Node] = set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self._at:
                taps += self._at[node]
            else:
                waiting += self._above(node, taps)
        return taps

    def _above(self, reader: fx.Node, taps: list[Tap]) -> list[fx.Node]:
        """What a node reads, but for what is tapped for this reader; those taps are added."""
        here = self._of_reader.get(reader, [])
        taps += here
        tapped = {tap.torch[0] for tap in here}
        return [node for node in reader.all_input_nodes if node not in tapped]
