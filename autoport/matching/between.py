"""Nodes that stand between matched ones: what they read and who reads them is settled, so they are, too.

Extra readers, an output more, say, do not matter here, which they do where all that lies below a node is compared.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from autoport.facts.reasons import Code, Reason
from autoport.matching.matching import Matching
from autoport.matching.skeleton import Skeleton


def pair_between(matching: Matching) -> bool:
    """Pairs free nodes that read the same matched nodes and are read by one at the same place; True if it found some.

    Both nodes must be the only ones on their side of whom that is true.
    """
    left = {pair.left: number for number, pair in enumerate(matching.pairs)}
    right = {pair.right: number for number, pair in enumerate(matching.pairs)}
    places = [
        _places(matching.read[0], left, matching.free_left),
        _places(matching.read[1], right, matching.free_right),
    ]
    found = False
    for key, nodes in places[0].items():
        others = places[1].get(key, [])
        if len(nodes) == len(others) == 1 and nodes[0] not in matching.partner and others[0] not in matching.taken:
            matching.add(nodes[0], others[0], Reason(Code.BETWEEN_PAIRS))
            found = True
    return found


def _places(graph: Skeleton, anchors: Mapping[str, int], free: set[str]) -> dict[Hashable, list[str]]:
    """Free nodes whose sources are all matched, by what they are, what they read and one reader that is matched."""
    places: dict[Hashable, list[str]] = {}
    for node in graph.nodes:
        sources = graph.preds.get(node, ())
        if node not in free or any(source not in anchors for source, _ in sources):
            continue
        read = tuple(sorted((anchors[source], position) for source, position in sources))
        for reader, position in dict.fromkeys(graph.succs.get(node, ())):
            if reader in anchors:
                places.setdefault((graph.colour[node], read, anchors[reader], position), []).append(node)
    return places
