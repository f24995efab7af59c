"""Hash keys of nodes: what lies above, what lies below, what lies around.

Keys of two skeletons are comparable because they are numbered by one table. The position of an
argument counts where the operation is not commutative.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from autoport.canonical.skeleton import Skeleton

Keys = dict[str, int]
Colouring = Callable[[str], Hashable]


class KeyTable:
    """Numbers equal descriptions equally, across skeletons."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, description: Hashable) -> int:
        """The number of a description."""
        return self._numbers.setdefault(description, len(self._numbers))

    def forward(self, graph: Skeleton, colour: Colouring, anchors: Mapping[str, int]) -> Keys:
        """Keys of everything upstream, back to the nearest anchors."""
        return self._sweep(graph.nodes, graph.preds, colour, anchors)

    def backward(self, graph: Skeleton, colour: Colouring, anchors: Mapping[str, int]) -> Keys:
        """Keys of everything downstream, on to the nearest anchors."""
        return self._sweep(reversed(graph.nodes), graph.succs, colour, anchors)

    def _sweep(
        self,
        nodes: Iterable[str],
        neighbours: Mapping[str, list[tuple[str, int]]],
        colour: Colouring,
        anchors: Mapping[str, int],
    ) -> Keys:
        keys: Keys = {}
        for node in nodes:
            if node in anchors:
                keys[node] = self.number(("anchor", anchors[node]))
                continue
            around = sorted((position, keys[other]) for other, position in neighbours.get(node, ()))
            keys[node] = self.number((colour(node), tuple(around)))
        return keys

    def around(self, graph: Skeleton, colour: Colouring, anchors: Mapping[str, int], radius: int) -> Keys:
        """Keys of the neighbourhood up to `radius` edges away (Weisfeiler-Leman refinement)."""
        keys = {
            node: self.number(("anchor", anchors[node]) if node in anchors else colour(node)) for node in graph.nodes
        }
        for _ in range(radius):
            keys = {
                node: keys[node] if node in anchors else self.number((keys[node], *self._ring(graph, keys, node)))
                for node in graph.nodes
            }
        return keys

    @staticmethod
    def _ring(graph: Skeleton, keys: Keys, node: str) -> tuple[Hashable, Hashable]:
        above = tuple(sorted((p, keys[n]) for n, p in graph.preds.get(node, ())))
        below = tuple(sorted((p, keys[n]) for n, p in graph.succs.get(node, ())))
        return above, below


def unique_pairs(left: Keys, right: Keys, free_left: set[str], free_right: set[str]) -> dict[str, str]:
    """Free nodes whose key occurs exactly once among the free nodes of each side."""
    places_left, places_right = _by_key(left, free_left), _by_key(right, free_right)
    return {
        nodes[0]: places_right[key][0]
        for key, nodes in places_left.items()
        if len(nodes) == 1 and len(places_right.get(key, ())) == 1
    }


def _by_key(keys: Keys, free: set[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for node, key in keys.items():
        if node in free:
            found.setdefault(key, []).append(node)
    return found


def classes(left: Keys, right: Keys, free_left: set[str], free_right: set[str]) -> list[tuple[list[str], list[str]]]:
    """Free nodes of both sides with equal keys, where both sides have some."""
    places_left, places_right = _by_key(left, free_left), _by_key(right, free_right)
    return [(nodes, places_right[key]) for key, nodes in places_left.items() if key in places_right]
