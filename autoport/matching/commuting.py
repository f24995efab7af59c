"""Functions of single elements change places with what only picks elements: a slice, a flip, the largest of a window.

    f(slice(x)) = slice(f(x))                    for any function of single elements
    f(max_pool(x)) = max_pool(f(x))              for a function that never falls
    f(pad(x, v)) = pad(f(x), v)                  where f(v) = v

The function goes in front, so that both orders are one expression.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from autoport.graph import Op
from autoport.graph.vocabulary.functions import compute

if TYPE_CHECKING:
    from autoport.matching.evidence import Expression

PICKING = {"slice", "flip", "roll", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle"}
PICKING |= {"depth_to_space", "space_to_depth"}
BY_INDEX = {"gather", "lookup"}
LARGEST = {"max_pool", "global_max_pool", "adaptive_max_pool", "reduce_max"}
SMALLEST = {"reduce_min"}
# From -300 to 300, dense near zero: dips and bounds of activations show.
_SIDE = np.concatenate([np.geomspace(1e-9, 1e-2, 100), np.linspace(0.01, 12, 2400), np.geomspace(12.1, 300, 100)])
SAMPLE = np.concatenate([-_SIDE[::-1], [0.0], _SIDE])
ROUNDING = 1e-12


def in_front(outer: Expression) -> Expression:
    """An expression with its outermost function in front of all that it changes places with."""
    op, passed = outer.op, []
    if op is None or not op.kind.is_pointwise or len(outer.operands) != 1:
        return outer
    inner = outer.operands[0]
    while inner.op is not None and _change_places(op, inner):
        passed.append(inner)
        inner = inner.operands[0]
    result = outer.over(inner)
    for picking in reversed(passed):
        result = _picking(picking, op).over(result)
    return result


def _picking(inner: Expression, function: Op) -> Expression:
    """What picks elements, behind the function: zeros around what is not negative are never the largest alone."""
    op = inner.op
    if op is None or op.attrs.get("pad_value") != 0 or not function.kind.is_non_negative:
        return inner
    return replace(inner, op=replace(op, attrs=op.attrs | {"pad_value": -math.inf}))


def _change_places(function: Op, inner: Expression) -> bool:
    op = inner.op
    if op is None or not inner.operands:
        return False
    if op.kind in PICKING or (op.kind == "resize" and op.attrs.get("mode") == "nearest"):
        return True
    if op.kind in BY_INDEX:
        return inner.operands[1].is_constant and not inner.operands[0].is_constant
    if op.kind == "pad":
        return op.attrs["mode"] != "constant" or _keeps(function, op.attrs["value"])
    if op.kind in LARGEST:
        return _never_falls(function) and _keeps(function, op.attrs.get("pad_value", -math.inf))
    return op.kind in SMALLEST and _never_falls(function)


def _keeps(function: Op, padding: float) -> bool:
    """Whether a function maps the number in a padding to itself; minus infinity is never the largest."""
    value = compute(function.kind, function.attrs, [np.asarray([padding])])
    return padding == -math.inf or (value is not None and bool(value[0] == padding))


def _never_falls(function: Op) -> bool:
    """Whether a function is defined everywhere and never falls, by numbers."""
    values = compute(function.kind, function.attrs, [SAMPLE])
    if values is None or not np.isfinite(values).all():
        return False
    return bool((np.diff(values) >= -ROUNDING * np.maximum(1, np.abs(values[1:]))).all())
