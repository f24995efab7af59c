"""Counts of alike nodes on both sides: where they differ, a run of equal layers may have lost or gained one.

Which one nobody can tell, so agreement from one direction only, or behind several differences, says little there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from autoport.matching.keys import Keys, KeyTable
from autoport.matching.matching import Matching


@dataclass(frozen=True)
class Census:
    """How many open nodes of each key there are.

    Attributes:
        keys: of the nodes of the left and of the right side.
        counts: of keys among the open nodes, left and right.
    """

    keys: tuple[Keys, Keys]
    counts: tuple[Counter[int], Counter[int]]

    @classmethod
    def of(cls, matching: Matching, table: KeyTable, radius: int) -> Census:
        """Counts neighbourhoods of a radius; of radius 0 they are nodes of one colour."""
        left, right = (
            table.around(graph, graph.colour.__getitem__, {}, radius) for graph in (matching.left, matching.right)
        )
        counts = Counter(left[n] for n in matching.free_left), Counter(right[n] for n in matching.free_right)
        return cls((left, right), counts)

    def agrees(self, left: str, right: str) -> bool:
        """Whether both sides have as many nodes like the one, and as many like the other."""
        keys = {self.keys[0][left], self.keys[1][right]}
        return all(self.counts[0][key] == self.counts[1][key] for key in keys)
