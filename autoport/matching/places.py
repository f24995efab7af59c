"""Two skeletons as one graph of numbered places, to be read from above or from below."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from autoport.matching.skeleton import Skeleton

Keys = Mapping[int, int]


@dataclass(frozen=True)
class Places:
    """The nodes of both sides; those of the left side come first.

    Attributes:
        names: the node at each place.
        left: how many there are on the left side.
        colours: equal numbers for equal colours.
        kinds: of the operations.
        sources: predecessors of each place in the direction of reading, with the position among the operands
            of the consumer.
        readers: successors of each place in the direction of reading.
        upwards: whether the direction of reading is from the outputs to the inputs.
    """

    names: list[str]
    left: int
    colours: list[int]
    kinds: list[str]
    sources: list[list[tuple[int, int]]]
    readers: list[list[int]]
    upwards: bool

    def side(self, place: int) -> int:
        """0 for the left side, 1 for the right one."""
        return int(place >= self.left)

    def by_key(self, keys: Keys) -> dict[int, tuple[list[int], list[int]]]:
        """Places of each key, on the left and on the right."""
        sides: dict[int, tuple[list[int], list[int]]] = {}
        for place, key in keys.items():
            sides.setdefault(key, ([], []))[self.side(place)].append(place)
        return sides

    def unique_pairs(self, keys: Keys) -> dict[int, int]:
        """Places whose key occurs exactly once on each side."""
        sides = self.by_key(keys).values()
        return {left[0]: right[0] for left, right in sides if len(left) == 1 == len(right)}


def side_by_side(left: Skeleton, right: Skeleton, *, upwards: bool = False) -> Places:
    """Numbers the nodes of two skeletons.

    Args:
        left: one side.
        right: the other.
        upwards: whether they are to be read from below.
    """
    result = Places([*left.nodes, *right.nodes], len(left.nodes), [], [], [], [], upwards)
    numbers: dict[Hashable, int] = {}
    for skeleton, start in ((left, 0), (right, result.left)):
        place = {node: start + number for number, node in enumerate(skeleton.nodes)}
        before, after = (skeleton.succs, skeleton.preds) if upwards else (skeleton.preds, skeleton.succs)
        for node in skeleton.nodes:
            colour = skeleton.colour[node]
            result.colours.append(numbers.setdefault(colour, len(numbers)))
            result.kinds.append(colour[0])
            result.sources.append([(place[other], position) for other, position in before.get(node, ())])
            result.readers.append([place[other] for other, _ in after.get(node, ())])
    return result
