"""The state of a matching: pairs found so far, and what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autoport.facts.reasons import Reason
from autoport.graph import Op
from autoport.graph.axes import Atom
from autoport.matching.places import Places, side_by_side
from autoport.matching.skeleton import Skeleton
from autoport.weights.piece import Weight

Weights = Mapping[str, Weight]


@dataclass(frozen=True)
class NodePair:
    """Two nodes that are the same operation, and why."""

    left: str
    right: str
    reason: Reason


@dataclass
class Orders:
    """What was found.

    Attributes:
        aligned: Keras concatenations whose channels were followed to the end on both sides.
        visible: those of them whose channels reach an output of the models.
        lost: Keras concatenations in another order that could not be followed, or in one that is open.
        weights: by operation, its weights cut into the parts that belong together, for either side.
        moved: for each axis of the PyTorch side whose positions stand in another order the Keras
            position of each of them.
    """

    aligned: set[str] = field(default_factory=set)
    visible: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    weights: tuple[dict[str, Weights], dict[str, Weights]] = field(default_factory=lambda: ({}, {}))
    moved: dict[Atom, list[int]] = field(default_factory=dict)

    def of(self, op: Op, side: int) -> Op:
        """An operation of a side with its weights in parts."""
        return replace(op, weights=dict(self.weights[side][op.name])) if op.name in self.weights[side] else op


@dataclass
class Matching:
    """The answer.

    Attributes:
        pairs: in the order they were found.
        ambiguous: reason for nodes that were left open because several partners fit equally well,
            for the left and the right side.
        orders: concatenations whose operands stand in another order on the other side.
        free: concatenations of either side that are matched as if the order of their operands did not count.
        read: both skeletons as they are matched.
        place: the number of each node in `down` and `up`, by side.
    """

    left: Skeleton
    right: Skeleton
    pairs: list[NodePair] = field(default_factory=list)
    ambiguous: tuple[dict[str, Reason], dict[str, Reason]] = field(default_factory=lambda: ({}, {}))
    partner: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    orders: Orders = field(default_factory=Orders)
    free: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    def __post_init__(self) -> None:
        sides = zip((self.left, self.right), self.free, strict=True)
        self.read = [side.loosened(free) if free else side for side, free in sides]
        self.down: Places = side_by_side(*self.read)
        self.up: Places = side_by_side(*self.read, upwards=True)
        self.place = (
            {node: place for place, node in enumerate(self.left.nodes)},
            {node: self.down.left + place for place, node in enumerate(self.right.nodes)},
        )

    def add(self, left: str, right: str, reason: Reason) -> None:
        """Records a pair."""
        self.pairs.append(NodePair(left, right, reason))
        self.partner[left] = right
        self.taken.add(right)

    def add_places(self, pairs: Mapping[int, int], reason: Reason) -> bool:
        """Records pairs of places; True if there are any."""
        for left, right in pairs.items():
            self.add(self.down.names[left], self.down.names[right], reason)
        return bool(pairs)

    @property
    def free_left(self) -> set[str]:
        """Nodes of the left side without a partner."""
        return {node for node in self.left.nodes if node not in self.partner}

    @property
    def free_right(self) -> set[str]:
        """Nodes of the right side without a partner."""
        return {node for node in self.right.nodes if node not in self.taken}

    @property
    def anchors(self) -> dict[int, int]:
        """The number of its pair, for every place that has a partner."""
        left = {self.place[0][pair.left]: number for number, pair in enumerate(self.pairs)}
        return left | {self.place[1][pair.right]: number for number, pair in enumerate(self.pairs)}
