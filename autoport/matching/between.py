"""Pairs nodes between matched ones: their sources and a consumer are settled, so they are, too.

Further consumers, as one more output, do not matter here. They do where everything below a node is compared.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from autoport.facts.reasons import Code, Reason
from autoport.matching.matching import Matching
from autoport.matching.skeleton import Skeleton


def pair_between(matching: Matching) -> bool:
    """Pairs free nodes that have the same matched sources and one matched consumer, at the same place.

    Both nodes must be the only such ones on their side.

    Returns:
        True if it made pairs.
    """
    left = {pair.left: number for number, pair in enumerate(matching.pairs)}
    right = {pair.right: number for number, pair in enumerate(matching.pairs)}
    places = [
        _places(matching.skeletons[0], left, matching.free_left),
        _places(matching.skeletons[1], right, matching.free_right),
    ]
    paired = False
    for key, nodes in places[0].items():
        others = places[1].get(key, [])
        if len(nodes) == len(others) == 1:
            one, other = nodes[0], others[0]
            if one not in matching.partner and other not in matching.matched_right:
                matching.add(one, other, Reason(Code.BETWEEN_PAIRS))
                paired = True
    return paired


def _places(graph: Skeleton, anchors: Mapping[str, int], free: set[str]) -> dict[Hashable, list[str]]:
    """Free nodes whose sources are all matched, by colour, sources and one matched consumer with its place."""
    places: dict[Hashable, list[str]] = {}
    for node in graph.nodes:
        sources = graph.preds.get(node, ())
        if node not in free or any(source not in anchors for source, _ in sources):
            continue
        operands = tuple(sorted((anchors[source], position) for source, position in sources))
        for reader, position in dict.fromkeys(graph.succs.get(node, ())):
            if reader in anchors:
                places.setdefault((graph.colour[node], operands, anchors[reader], position), []).append(node)
    return places
