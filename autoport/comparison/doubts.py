"""Operations whose weights must not be carried over, although they are matched.

Where the two models arrange channels differently (another slice of channels, a flip on one side, a
concatenation in another order that could not be followed), a weight that lies along those channels
belongs in another order, too. Until that order is known, the weights are refused; so are those along
an axis of which neither model's operations tell the order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoport.comparison.differences import matched_edges, role_conflicts
from autoport.facts.reasons import Code, Reason
from autoport.graph import Op
from autoport.graph.build import RNN_GATES
from autoport.matching import Matching
from autoport.matching.evidence import COMMUTATIVE, Edge, Expression
from autoport.matching.skeleton import Skeleton
from autoport.weights.role import Role

# Contracted operations that may move channels to other places.
REARRANGING = {
    "channel_shuffle",
    "concat",
    "depth_to_space",
    "DepthToSpace",
    "flip",
    "gather",
    "lookup",
    "pad",
    "GatherV2",
    "index_select",
    "pixel_shuffle",
    "pixel_unshuffle",
    "ReverseV2",
    "roll",
    "Roll",
    "slice",
    "SpaceToDepth",
    "take",
}
# Channels, and what they are split into.
FEATURE = re.compile(r"(c|d|heads|sharing)\d*(_\d+)?")
# Operations that sum over their input channels: behind them the order of those is forgotten.
MIXING = {"dense", "embedding", *RNN_GATES}
# Roles of axes along which no weight lies.
WITHOUT_WEIGHTS = {"n", "batch", "time", "tokens", "operands"}


@dataclass(frozen=True)
class Doubt:
    """Why weights of a pair of operations are refused.

    Attributes:
        reason: why.
        roles: the weights that are; all of them if it is None.
        provable: whether equal numbers in equal places would settle it.
    """

    reason: Reason
    roles: frozenset[str] | None = None
    provable: bool = True

    def concerns(self, role: Role) -> bool:
        """Whether it is a doubt about a weight, or about the one that it is a part of."""
        return self.roles is None or role.whole in self.roles


def find_doubts(matching: Matching) -> dict[str, Doubt]:
    """Nodes of the Keras side with weights that are refused."""
    doubts: dict[str, Doubt] = {}
    for node, reason, spreads in _origins(matching):
        for other in _reached(matching, node) if spreads else [node]:
            doubts.setdefault(other, Doubt(reason))
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        if a is None or b is None or not a.weights:
            continue
        lone = _lone_bias if a.kind == "batch_norm" else _lone_norm
        doubt = lone(matching, node) or _unfollowed(a, b)
        if doubt is not None:
            doubts.setdefault(node, doubt)
    return doubts


def _unfollowed(a: Op, b: Op) -> Doubt | None:
    """The doubt about axes along which the order of features is not known."""
    lost = {*a.attrs.get("lost", ()), *b.attrs.get("lost", ())}
    if lost:
        return Doubt(Reason(Code.ORDER_LOST), _along(lost, a, b))
    unordered = set(a.attrs.get("unordered", ())) & set(b.attrs.get("unordered", ()))
    return Doubt(Reason(Code.ORDER_UNKNOWN), _along(unordered, a, b)) if unordered else None


def _along(axes: set[str], *ops: Op) -> frozenset[str]:
    """Roles of the weights that have one of the axes."""
    weights = [(role, weight) for op in ops for role, weight in op.weights.items()]
    return frozenset(Role.of(role).whole for role, weight in weights if axes & weight.axes.keys())


def _lone_norm(matching: Matching, node: str) -> Doubt | None:
    """The doubt about a layer behind which one model alone has a batch norm, which may be folded into it."""
    behind = [_open(matching, side, "succs", name) for side, name in _both(matching, node)]
    for mine, theirs in (behind, behind[::-1]):
        norms = [op for op in mine if op.kind == "batch_norm"]
        if norms and not theirs:
            return Doubt(Reason.of(Code.LONE_NORM, norm=norms[0].place), provable=False)
    return None


def _lone_bias(matching: Matching, node: str) -> Doubt | None:
    """The doubt about the mean of a batch norm in front of which one model alone adds a bias."""
    before = [_open(matching, side, "preds", name) for side, name in _both(matching, node)]
    for mine, theirs in (before, before[::-1]):
        biased = [op for op in mine if "bias" in op.weights]
        if biased and theirs and not any("bias" in op.weights for op in theirs):
            reason = Reason.of(Code.LONE_BIAS, biased=biased[0].place)
            return Doubt(reason, frozenset({"mean"}), provable=False)
    return None


def _both(matching: Matching, node: str) -> list[tuple[Skeleton, str]]:
    return [(matching.left, node), (matching.right, matching.partner[node])]


def _open(matching: Matching, side: Skeleton, direction: str, node: str) -> list[Op]:
    """Operations next to a node that have no partner."""
    matched = matching.partner if side is matching.left else matching.taken
    found = [side.op(other) for other, _ in getattr(side, direction).get(node, ()) if other not in matched]
    return [op for op in found if op is not None]


def _origins(matching: Matching) -> Iterator[tuple[str, Reason, bool]]:
    """Nodes that see or make another order of channels than their partners do, and whether it is passed on."""
    left, right, partner = matching.left, matching.right, matching.partner
    for node in left.nodes:
        a, b = left.op(node), right.op(partner[node]) if node in partner else None
        for source, *edges in matched_edges(matching, node) if node in partner else ():
            if _rearranged(*edges):
                reason = Reason(Code.REARRANGED)
                yield source, reason, False
                # Of queries and keys only products go on.
                yield node, reason, a is None or a.kind != "attention" or edges[0].position > 1
        if a is None or b is None:
            continue
        if node in matching.orders.lost:
            yield node, Reason.of(Code.OTHER_OPERANDS, tf=a.place, torch=b.place), True
        roles = [role for role, *_ in role_conflicts(a, b) if role not in WITHOUT_WEIGHTS]
        if a.weights and roles:
            yield node, Reason.of(Code.OTHER_AXIS, axis=roles[0]), True


def _rearranged(a: Edge, b: Edge) -> bool:
    first, second = (_arrangement(edge.expression) for edge in (a, b))
    if first != second:
        return bool(REARRANGING & (_kinds(first) | _kinds(second)))
    return any(_moves(x) != _moves(y) for x, y in zip(first.ops(), second.ops(), strict=True))


def _moves(op: Op) -> list[Any]:
    """What an operation takes along axes of features, and whether it puts single positions side by side."""
    taken: list[Any] = [places for name, places in _ranges(op) or () if any(map(FEATURE.fullmatch, name.split()))]
    stacked = op.kind == "concat" and op.shapes[0][op.attrs["axis"]] == len(op.inputs)
    return [*sorted(taken), stacked]


def _arrangement(expression: Expression) -> Expression:
    """An expression without what happens to every element of one value alike."""
    made: dict[int, Expression] = {}
    waiting = [expression]
    while waiting:
        current = waiting[-1]
        below = [operand for operand in current.operands if id(operand) not in made]
        if below:
            waiting += below
        else:
            made[id(waiting.pop())] = _without_pointwise(current, [made[id(o)] for o in current.operands])
    return made[id(expression)]


def _without_pointwise(expression: Expression, operands: list[Expression]) -> Expression:
    varying = [operand for operand in operands if operand.label != "constant"]
    if len(varying) == 1 and expression.label not in REARRANGING:
        return varying[0]
    if expression.label in COMMUTATIVE:
        operands.sort(key=lambda operand: operand.structure)
    return Expression(expression.label, tuple(operands), expression.op)


def _kinds(expression: Expression) -> set[str]:
    """Kinds of operations that may touch features."""
    return {op.kind for op in expression.ops() if _touches_features(op)}


def _touches_features(op: Op) -> bool:
    return any(map(FEATURE.fullmatch, _touched(op)))


def _ranges(op: Op) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
    """What a slice takes, or a padding adds, along each axis; None if that is not known, or if it is neither."""
    found: tuple[tuple[str, tuple[int, ...]], ...] | None = op.attrs.get("padding" if op.kind == "pad" else "taken")
    return found


def _touched(op: Op) -> set[str]:
    """Axes that an operation slices or joins, of composite ones each; the channels if that is not known."""
    taken = _ranges(op)
    names = [name for name, _ in taken] if taken is not None else op.attrs.get("over", ("c",))
    return set(" ".join(names).split())


def _reached(matching: Matching, node: str) -> list[str]:
    """A node and, as far as the order of its channels is visible, what reads it."""
    reached: dict[str, None] = {}
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current in reached:
            continue
        reached[current] = None
        op = matching.left.op(current)
        mixes = op is not None and (op.kind in MIXING or (op.kind == "conv" and op.attrs["groups"] == 1))
        if not mixes:
            waiting += [other for other, _ in matching.left.succs.get(current, ())]
    return list(reached)
