"""Weights of two matched operations in one layout, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autoport.facts.reasons import Code, Reason, Several, Size
from autoport.graph import Op
from autoport.weights.pair import WeightPair, neutral_value
from autoport.weights.piece import Weight
from autoport.weights.role import Role


@dataclass(frozen=True)
class Refusal:
    """A weight of two matched operations that must not be carried over, and why."""

    role: Role
    reason: Reason


def pair_weights(tf: Op, torch: Op) -> tuple[list[WeightPair], list[Refusal]]:
    """Pairs the weights of two matched operations by role.

    Returns:
        The pairs, and a refusal of every role whose two sides cannot be reconciled.
    """
    pairs, refusals = [], []
    for role in roles_of(tf, torch):
        left, right = (op.weights.get(role) for op in (tf, torch))
        if left is None or right is None:
            if neutral_value(role) is None:
                refusals.append(Refusal(role, Reason(Code.NO_SUCH_WEIGHT)))
            else:
                pairs.append(WeightPair(role, left, right))
            continue
        agreement = _agree_by_name(left, right, tf, torch) or _agree(left, right)
        if isinstance(agreement, Reason):
            refusals.append(Refusal(role, agreement))
        else:
            pairs.append(WeightPair(role, *agreement))
    return pairs, refusals


def roles_of(tf: Op, torch: Op) -> list[Role]:
    """The roles in which either of two operations reads a weight."""
    return [Role.of(role) for role in dict.fromkeys((*tf.weights, *torch.weights))]


def _agree_by_name(left: Weight, right: Weight, tf: Op, torch: Op) -> tuple[Weight, Weight] | None:
    """Renames the axes of a tensor that is read as data after the data axes along it, where both sides know all."""
    names = [op.attrs.get("reads", {}) if op.kind.is_parameter else {} for op in (tf, torch)]
    sizes = [
        {axis_names[axis]: size for axis, size in weight.axes.items() if axis in axis_names}
        for axis_names, weight in zip(names, (left, right), strict=True)
    ]
    if len(sizes[0]) < len(left.axes) or sizes[0] != sizes[1] or not sizes[0]:
        return None
    return _rename_axes(left, names[0]), _rename_axes(right, names[1])


def _rename_axes(weight: Weight, names: Mapping[str, str]) -> Weight:
    (piece,) = weight.pieces
    for axis in weight.axes:
        piece = piece.renamed(axis, names[axis].replace(" ", "_"))
    return Weight((piece,))


def _agree(left: Weight, right: Weight) -> tuple[Weight, Weight] | Reason:
    """Gives both sides the same axes; a reason where the axes do not certainly correspond."""
    left_axes, right_axes = left.axes, right.axes
    if left_axes == right_axes:
        if set(left_axes) >= {"p0", "p1"} and len(set(left_axes.values())) < len(left_axes):
            return Reason(Code.EQUAL_SIZES)
        return left, right
    if set(left_axes) == set(right_axes) and set(left_axes) <= {"p0", "p1", "p2", "p3"}:
        return _agree_by_size(left, right)
    for narrow, wide, swap in ((left, right, False), (right, left, True)):
        expanded = _expand_heads(narrow, wide)
        if expanded is not None:
            return (wide, expanded) if swap else (expanded, wide)
    return Reason.of(Code.OTHER_AXES, tf=_axis_sizes(left_axes), torch=_axis_sizes(right_axes))


def _agree_by_size(left: Weight, right: Weight) -> tuple[Weight, Weight] | Reason:
    sizes = right.axes.values()
    if sorted(left.axes.values()) != sorted(sizes) or len(set(sizes)) < len(right.axes):
        return Reason(Code.EQUAL_SIZES)
    names = {size: name for name, size in left.axes.items()}
    piece = right.pieces[0]
    for name, size in right.axes.items():
        piece = piece.expand(name, [(f"x{names[size]}", size)])
    for name in left.axes:
        piece = piece.expand(f"x{name}", [(name, left.axes[name])])
    return left, Weight((piece,))


def _expand_heads(narrow: Weight, wide: Weight) -> Weight | None:
    """Writes the plain `i` or `o` of one side as the `heads d` that the other side spells out."""
    missing = [name for name in narrow.axes if name not in wide.axes]
    extra = [(name, size) for name, size in wide.axes.items() if name not in narrow.axes]
    if len(missing) != 1 or {name for name, _ in extra} - {"heads", "d"}:
        return None
    if math.prod(size for _, size in extra) != narrow.axes[missing[0]]:
        return None
    return Weight(tuple(piece.expand(missing[0], extra) for piece in narrow.pieces))


def _axis_sizes(axes: Mapping[str, int]) -> Several:
    return Several(Size(name, size) for name, size in axes.items())
