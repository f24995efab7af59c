"""Operations whose weights must not be carried over, although they are matched.

Where the two models arrange channels differently (another slice of channels, a flip on one side, a
concatenation in another order that could not be followed), a weight along those channels belongs in
another order, too. As long as nobody knows that order, the weights are refused. So are weights along an
axis whose order neither model's operations tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from autoport.comparison.differences import alike, matched_edges, role_conflicts
from autoport.comparison.functions import same_function
from autoport.facts.reasons import Code, Reason
from autoport.graph import Op
from autoport.graph.vocabulary import Motion, by_dim
from autoport.matching import Matching
from autoport.matching.evidence import Edge, Expression
from autoport.matching.skeleton import Skeleton
from autoport.weights.role import Role

# Names of channels and of their parts.
FEATURE = re.compile(r"(c|d|heads|sharing)\d*(_\d+)?")
# Roles of axes along which no weight lies.
WITHOUT_WEIGHTS = {"n", "batch", "time", "tokens", "operands"}


@dataclass(frozen=True)
class Doubt:
    """Why weights of a pair of operations are refused.

    Attributes:
        reason: why.
        roles: the refused weights; None for all of them.
        provable: whether running both models may settle it: equal values prove the weights.
    """

    reason: Reason
    roles: frozenset[str] | None = None
    provable: bool = True

    def concerns(self, role: Role) -> bool:
        """Whether it doubts a weight, or the weight that this one is a part of."""
        return self.roles is None or role.whole in self.roles


def find_doubts(matching: Matching) -> dict[str, Doubt]:
    """The doubts about nodes of the Keras side with weights."""
    doubts: dict[str, Doubt] = {}
    for node, reason, spreads in _origins(matching):
        for other in _with_consumers(matching, node) if spreads else [node]:
            doubts.setdefault(other, Doubt(reason))
    for node, partner in matching.partner.items():
        a, b = matching.left.op(node), matching.right.op(partner)
        if a is None or b is None or not a.weights:
            continue
        lone = _lone_bias if a.kind.has_statistics else _lone_norm
        doubt = lone(matching, node) or _order_doubt(a, b)
        if doubt is not None:
            doubts.setdefault(node, doubt)
    return doubts


def _order_doubt(a: Op, b: Op) -> Doubt | None:
    """The doubt about axes whose order of features is lost, or unknown on both sides."""
    lost = {*a.attrs.get("lost", ()), *b.attrs.get("lost", ())}
    if lost:
        return Doubt(Reason(Code.ORDER_LOST), _along(lost, a, b))
    unordered = set(a.attrs.get("unordered", ())) & set(b.attrs.get("unordered", ()))
    return Doubt(Reason(Code.ORDER_UNKNOWN), _along(unordered, a, b)) if unordered else None


def _along(axes: set[str], *ops: Op) -> frozenset[str]:
    """Roles of the weights with one of the axes."""
    weights = [(role, weight) for op in ops for role, weight in op.weights.items()]
    return frozenset(Role.of(role).whole for role, weight in weights if axes & weight.axes.keys())


def _lone_norm(matching: Matching, node: str) -> Doubt | None:
    """The doubt about a layer if only one model has a batch norm behind it: the other may have folded that norm."""
    behind = [_open(matching, side, "succs", name) for side, name in _node_and_partner(matching, node)]
    for mine, theirs in (behind, behind[::-1]):
        norms = [op for op in mine if op.kind.has_statistics]
        if norms and not theirs:
            return Doubt(Reason.of(Code.LONE_NORM, norm=norms[0].place), provable=False)
    return None


def _lone_bias(matching: Matching, node: str) -> Doubt | None:
    """The doubt about the mean of a batch norm if only one model adds a bias in front of it."""
    before = [_open(matching, side, "preds", name) for side, name in _node_and_partner(matching, node)]
    for mine, theirs in (before, before[::-1]):
        biased = [op for op in mine if "bias" in op.weights]
        if biased and theirs and not any("bias" in op.weights for op in theirs):
            reason = Reason.of(Code.LONE_BIAS, biased=biased[0].place)
            return Doubt(reason, frozenset({"mean"}), provable=False)
    return None


def _node_and_partner(matching: Matching, node: str) -> list[tuple[Skeleton, str]]:
    return [(matching.left, node), (matching.right, matching.partner[node])]


def _open(matching: Matching, side: Skeleton, direction: str, node: str) -> list[Op]:
    """Operations next to a node that have no partner."""
    matched = matching.partner if side is matching.left else matching.matched_right
    neighbours = [side.op(other) for other, _ in getattr(side, direction).get(node, ()) if other not in matched]
    return [op for op in neighbours if op is not None]


def _origins(matching: Matching) -> Iterator[tuple[str, Reason, bool]]:
    """Nodes that read or make another order of channels than their partners, and whether they pass it on."""
    left, right, partner = matching.left, matching.right, matching.partner
    for node in left.nodes:
        a, b = left.op(node), right.op(partner[node]) if node in partner else None
        for source, *edges in matched_edges(matching, node) if node in partner else ():
            if _rearranges(*edges):
                reason = Reason(Code.REARRANGED)
                yield source, reason, False
                # Attention passes on values only: queries and keys end in their product.
                yield node, reason, a is None or not a.kind.is_attention or edges[0].position > 1
        if a is None or b is None:
            continue
        if _is_open(a, b):
            yield from ((source, Reason(Code.REARRANGED), False) for source, _ in left.preds.get(node, ()))
            yield node, Reason(Code.REARRANGED), True
        if node in matching.orders.lost:
            yield node, Reason.of(Code.OTHER_OPERANDS, tf=a.place, torch=b.place), True
        roles = [role for role, *_ in role_conflicts(a, b) if role not in WITHOUT_WEIGHTS]
        if a.weights and roles:
            yield node, Reason.of(Code.OTHER_AXIS, axis=roles[0]), True


def _rearranges(a: Edge, b: Edge) -> bool:
    first, second = (_arrangement(edge.expression) for edge in (a, b))
    if first != second:
        moving = any(_moves_features(part) for part in (*first.parts(), *second.parts()))
        return moving and not same_function(a.expression, b.expression, _certainly_alike)
    return any(_moves_otherwise(x, y) for x, y in zip(first.parts(), second.parts(), strict=True))


def _certainly_alike(a: Expression, b: Expression) -> bool:
    return alike(a, b) and not _moves_otherwise(a, b)


def _is_open(a: Op, b: Op) -> bool:
    """Whether two matched operations of several values may move them in different ways."""
    if a.kind.is_join or b.kind.is_join:
        return False
    return _moves_otherwise(*(Expression(op.kind, op=op) for op in (a, b)))


def _moves_otherwise(a: Expression, b: Expression) -> bool:
    """Whether two equal expressions move features in different ways, or may do so."""
    if a.op is None or b.op is None or not (_moves_features(a) or _moves_features(b)):
        return False
    return (
        _move(a.op) != _move(b.op)
        or _told_by_constants(a) != _told_by_constants(b)
        or not (_is_certain(a) and _is_certain(b))
    )


def _moves_features(expression: Expression) -> bool:
    """Whether an expression may move features to other places."""
    op = expression.op
    if op is None or not _may_move(expression) or _picks_rows(expression):
        return False
    named = op.attrs.get(op.kind.moves.named or "")
    # Unknown axes may be axes of features.
    return named is None or any(FEATURE.fullmatch(word) for name in named for word in _words(name))


def _picks_rows(expression: Expression) -> bool:
    """Whether it takes rows of a constant table: the data tells which, and no feature of the data is moved."""
    op, operands = expression.op, expression.operands
    return op is not None and op.kind.moves.picks and bool(operands) and operands[0].is_constant


def _words(named: Any) -> list[str]:
    """The names in a composite axis, which stands alone or in front of the values of an attribute."""
    return str(named if isinstance(named, str) else named[0]).split()


def _may_move(expression: Expression) -> bool:
    """Whether its kind moves positions, or a constant operand does, as a permutation matrix."""
    if expression.op is None:
        return False
    moves = expression.op.kind.moves
    return moves.rearranges or (moves.by_operand and bool(_constants(expression)))


def _constants(expression: Expression) -> list[Op]:
    return [operand.op for operand in expression.operands if operand.is_constant and operand.op is not None]


def _arrangement(expression: Expression) -> Expression:
    """An expression without the operations that treat all elements of one value alike."""
    arrangements: dict[int, Expression] = {}
    waiting = [expression]
    while waiting:
        current = waiting[-1]
        below = [operand for operand in current.operands if id(operand) not in arrangements]
        if below:
            waiting += below
        else:
            arrangements[id(waiting.pop())] = _without_pointwise(
                current, [arrangements[id(o)] for o in current.operands]
            )
    return arrangements[id(expression)]


def _without_pointwise(expression: Expression, operands: list[Expression]) -> Expression:
    varying = [operand for operand in operands if not operand.is_constant]
    if len(varying) == 1 and not _may_move(expression):
        return varying[0]
    if expression.op is not None and expression.op.kind.is_commutative:
        operands.sort(key=lambda operand: operand.structure)
    return Expression(expression.label, tuple(operands), expression.op)


def _move(op: Op) -> tuple[Any, ...]:
    """The move that an operation makes along axes of features, free of layout."""
    moves, named = op.kind.moves, op.attrs.get(op.kind.moves.named or "")
    by_dimension = by_dim(op.attrs.get(moves.dims or ""))
    if named is None:
        along = sorted(by_dimension.values()) if by_dimension and None not in by_dimension.values() else []
    else:
        along = sorted(name for name in named if any(map(FEATURE.fullmatch, _words(name))))
    stacked = op.kind.is_join and op.shapes[0][op.attrs["axis"]] == len(op.inputs)
    return (along, stacked, *(op.attrs.get(name) for name in moves.known_by))


def _is_certain(expression: Expression) -> bool:
    """Whether the axes along which positions move are known, and the constants that direct them."""
    op = expression.op
    if op is None or op.kind.moves.motion is Motion.UNKNOWN:
        return False
    by_dimension = by_dim(op.attrs.get(op.kind.moves.dims or ""))
    along = op.attrs.get(op.kind.moves.named or "") is not None or (
        by_dimension is not None and None not in by_dimension.values()
    )
    alone = op.kind.is_join or op.kind.moves.motion is not Motion.ALONG
    return (
        (along or alone)
        and all(map(_is_ordered, _constants(expression)))
        and None not in _told_by_constants(expression)
    )


def _is_ordered(constant: Op) -> bool:
    """Whether the digest of a constant tells the order of its values: along one axis, or because all are equal."""
    shape = constant.shapes[0] if constant.shapes else ()
    return max(shape, default=1) == prod(shape) or constant.attrs.get("fill") is not None


def _told_by_constants(expression: Expression) -> list[str | None]:
    """The values of the constants that direct where positions go."""
    told = expression.op is not None and expression.op.kind.moves.by_operand
    return [constant.attrs.get("values") for constant in _constants(expression)] if told else []


def _with_consumers(matching: Matching, node: str) -> list[str]:
    """A node and its consumers, direct and indirect, as far as the order of its channels shows."""
    reachable: dict[str, None] = {}
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current in reachable:
            continue
        reachable[current] = None
        op = matching.left.op(current)
        mixes = op is not None and op.kind.mixes and op.attrs.get("groups", 1) == 1
        if not mixes:
            waiting += [other for other, _ in matching.left.succs.get(current, ())]
    return list(reachable)
