"""The state of a matching: its pairs so far, and which nodes are open."""

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
    """Concatenations whose operands stand in another order, and the permutation of the weights behind them.

    Attributes:
        aligned: Keras concatenations whose channels were followed to the end on both sides.
        visible: aligned concatenations whose channels reach an output of the models.
        lost: Keras concatenations in another order whose channels could not be followed, or whose order is open.
        weights: by operation, its weights cut into parts, for either side; counterparts have one role.
        moved: by axis of the PyTorch side with another order of positions, the Keras position of each.
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
    """The pairs of nodes of two skeletons.

    Attributes:
        left: the skeleton of the Keras model.
        right: the skeleton of the PyTorch model.
        pairs: in the order in which they were settled.
        ambiguous: reasons of nodes that several partners fit equally well, for the left and the right side.
        partner: nodes of the right side by their partner on the left side.
        matched_right: nodes of the right side with a partner.
        orders: concatenations whose operands stand in another order on the other side.
        free: concatenations of either side that are matched as if the order of their operands did not count.
        skeletons: both sides as they are matched.
        place: the number of each node in `down` and `up`, by side.
    """

    left: Skeleton
    right: Skeleton
    pairs: list[NodePair] = field(default_factory=list)
    ambiguous: tuple[dict[str, Reason], dict[str, Reason]] = field(default_factory=lambda: ({}, {}))
    partner: dict[str, str] = field(default_factory=dict)
    matched_right: set[str] = field(default_factory=set)
    orders: Orders = field(default_factory=Orders)
    free: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    def __post_init__(self) -> None:
        sides = zip((self.left, self.right), self.free, strict=True)
        self.skeletons = [side.with_free_operands(free) if free else side for side, free in sides]
        self.down: Places = side_by_side(*self.skeletons)
        self.up: Places = side_by_side(*self.skeletons, upwards=True)
        self.place = (
            {node: place for place, node in enumerate(self.left.nodes)},
            {node: self.down.left + place for place, node in enumerate(self.right.nodes)},
        )

    def add(self, left: str, right: str, reason: Reason) -> None:
        """Records a pair."""
        self.pairs.append(NodePair(left, right, reason))
        self.partner[left] = right
        self.matched_right.add(right)

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
        return {node for node in self.right.nodes if node not in self.matched_right}

    @property
    def anchors(self) -> dict[int, int]:
        """The number of its pair, for every place that has a partner."""
        left = {self.place[0][pair.left]: number for number, pair in enumerate(self.pairs)}
        return left | {self.place[1][pair.right]: number for number, pair in enumerate(self.pairs)}
