"""The state of a matching: pairs found so far, and what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoport.canonical.skeleton import Skeleton


@dataclass(frozen=True)
class NodePair:
    """Two nodes that are the same operation, and why."""

    left: str
    right: str
    reason: str


@dataclass
class Matching:
    """The answer.

    Attributes:
        pairs: in the order they were found.
        ambiguous: reason for nodes that were left open because several partners fit equally well,
            for the left and the right side.
    """

    left: Skeleton
    right: Skeleton
    pairs: list[NodePair] = field(default_factory=list)
    ambiguous: tuple[dict[str, str], dict[str, str]] = field(default_factory=lambda: ({}, {}))
    partner: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def add(self, left: str, right: str, reason: str) -> None:
        """Records a pair."""
        self.pairs.append(NodePair(left, right, reason))
        self.partner[left] = right
        self.taken.add(right)

    def copy(self) -> Matching:
        """A matching with the same pairs, to be continued on its own."""
        copied = Matching(self.left, self.right)
        for pair in self.pairs:
            copied.add(pair.left, pair.right, pair.reason)
        return copied

    @property
    def free_left(self) -> set[str]:
        """Nodes of the left side without a partner."""
        return {node for node in self.left.nodes if node not in self.partner}

    @property
    def free_right(self) -> set[str]:
        """Nodes of the right side without a partner."""
        return {node for node in self.right.nodes if node not in self.taken}

    def anchors(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The number of its pair, for every paired node of each side."""
        left = {pair.left: number for number, pair in enumerate(self.pairs)}
        right = {pair.right: number for number, pair in enumerate(self.pairs)}
        return left, right
