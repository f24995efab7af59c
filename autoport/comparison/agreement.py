"""Weights of two matched operations in one layout, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping

from autoport.graph import Op
from autoport.weights.pair import WeightPair, neutral_value
from autoport.weights.piece import Weight


def pair_weights(tf: Op, torch: Op) -> tuple[list[WeightPair], list[str]]:
    """Pairs the weights of two matched operations by role.

    Returns:
        The pairs, and a reason for every role whose two sides cannot be reconciled.
    """
    pairs, refusals = [], []
    weights = tf.weights, torch.weights
    for role in dict.fromkeys((*weights[0], *weights[1])):
        left, right = (side.get(role) for side in weights)
        if left is None or right is None:
            if neutral_value(role) is None:
                refusals.append(
                    f"{role}: the other model's operation has no such weight, and no constant stands for it"
                )
            else:
                pairs.append(WeightPair(role, left, right))
            continue
        agreed = _agree_by_name(left, right, tf, torch) or _agree(left, right)
        if isinstance(agreed, str):
            refusals.append(f"{role}: {agreed}")
        else:
            pairs.append(WeightPair(role, *agreed))
    return pairs, refusals


def _agree_by_name(left: Weight, right: Weight, tf: Op, torch: Op) -> tuple[Weight, Weight] | None:
    """Gives a tensor that is read as data the names of the data axes that it lies along, where both sides know all."""
    names = [op.attrs.get("reads", {}) if op.kind == "parameter" else {} for op in (tf, torch)]
    sizes = [
        {known[axis]: size for axis, size in weight.axes.items() if axis in known}
        for known, weight in zip(names, (left, right), strict=True)
    ]
    if len(sizes[0]) < len(left.axes) or sizes[0] != sizes[1] or not sizes[0]:
        return None
    return _called(left, names[0]), _called(right, names[1])


def _called(weight: Weight, names: Mapping[str, str]) -> Weight:
    (piece,) = weight.pieces
    for axis in weight.axes:
        piece = piece.renamed(axis, names[axis].replace(" ", "_"))
    return Weight((piece,))


def _agree(left: Weight, right: Weight) -> tuple[Weight, Weight] | str:
    """Gives both sides the same axes; a reason if that cannot be done with certainty."""
    left_axes, right_axes = left.axes, right.axes
    if left_axes == right_axes:
        if set(left_axes) >= {"p0", "p1"} and len(set(left_axes.values())) < len(left_axes):
            return "several axes of one size: their order cannot be told from the structure"
        return left, right
    if set(left_axes) == set(right_axes) and set(left_axes) <= {"p0", "p1", "p2", "p3"}:
        return _agree_by_size(left, right)
    for narrow, wide, swap in ((left, right, False), (right, left, True)):
        expanded = _expand_heads(narrow, wide)
        if expanded is not None:
            return (wide, expanded) if swap else (expanded, wide)
    return f"axes {_text(left_axes)} and {_text(right_axes)} cannot be told to be the same"


def _agree_by_size(left: Weight, right: Weight) -> tuple[Weight, Weight] | str:
    sizes = right.axes.values()
    if sorted(left.axes.values()) != sorted(sizes) or len(set(sizes)) < len(right.axes):
        return "several axes of one size: their order cannot be told from the structure"
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


def _text(axes: Mapping[str, int]) -> str:
    return "(" + ", ".join(f"{name}={size}" for name, size in axes.items()) + ")"
