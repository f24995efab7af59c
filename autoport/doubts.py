"""Operations whose weights must not be carried over, although they are matched.

Where the two models arrange channels differently (another slice of channels, a flip on one side, a
concatenation in another order that could not be followed), a weight that lies along those channels
belongs in another order, too. Until that order is known, the weights are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoport.canonical.evidence import Edge, Expression
from autoport.differences import OPERANDS, matched_edges, role_conflicts, wiring
from autoport.graph import Op
from autoport.graph.build import RNN_GATES
from autoport.matching import Matching

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
# Operations that sum over their input channels: behind them the order of those is forgotten.
MIXING = {"dense", "embedding", *RNN_GATES}
# Roles of axes along which no weight lies.
WITHOUT_WEIGHTS = {"n", "batch", "time", "tokens", "operands"}


def find_doubts(matching: Matching) -> dict[str, str]:
    """Nodes of the Keras side whose weights are refused, with the reason."""
    doubts: dict[str, str] = {}
    for node, reason, spreads in _origins(matching):
        reached = _reached(matching, node) if spreads else [node]
        doubts.update({other: reason for other in reached if other not in doubts})
    return doubts


def _origins(matching: Matching) -> Iterator[tuple[str, str, bool]]:
    """Nodes that see or make another order of channels than their partners do, and whether it is passed on."""
    left, right, partner = matching.left, matching.right, matching.partner
    for node in left.nodes:
        a, b = left.op(node), right.op(partner[node]) if node in partner else None
        for source, *edges in matched_edges(matching, node) if node in partner else ():
            if _rearranged(*edges):
                reason = "what lies between it and its neighbour arranges channels differently"
                yield source, reason, False
                yield node, reason, True
        if a is None or b is None:
            continue
        stacked = a.kind == "stack" and any(d.name == OPERANDS for d in wiring(matching, a, b))
        if stacked or node in matching.orders.lost:
            yield node, f"{a} and {b} put their operands in another order", True
        roles = [role for role, *_ in role_conflicts(a, b) if role not in WITHOUT_WEIGHTS]
        if a.weights and roles:
            yield node, f"its axis {roles[0]} lies along another axis of the data", True


def _rearranged(a: Edge, b: Edge) -> bool:
    first, second = (_arrangement(edge.expression) for edge in (a, b))
    if first != second:
        return bool(REARRANGING & (_kinds(first) | _kinds(second)))
    pairs = zip(first.ops(), second.ops(), strict=True)
    taken = [(_ranges(first), _ranges(second)) for first, second in pairs]
    return any(x != y and "c" in " ".join(dict(x or ()) | dict(y or ())).split() for x, y in taken)


def _arrangement(expression: Expression) -> Expression:
    """An expression without what happens to every element alike before it is rearranged, and after."""
    kept: list[Expression] = []
    while True:
        varying = [operand for operand in expression.operands if operand.label != "constant"]
        if len(varying) != 1:
            break
        if expression.label in REARRANGING:
            kept.append(expression)
        (expression,) = varying
    for outer in reversed(kept):
        expression = Expression(outer.label, (expression,), outer.op)
    return expression


def _kinds(expression: Expression) -> set[str]:
    """Kinds of operations that may touch the channels."""
    return {op.kind for op in expression.ops() if "c" in _touched(op)}


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
