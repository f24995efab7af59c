"""Functions of single elements change places with what only picks elements: a slice, a flip, the largest of a window.

    f(slice(x)) = slice(f(x))                    for any function of single elements
    f(max_pool(x)) = max_pool(f(x))              for a function that never falls
    f(pad(x, v)) = pad(f(x), v)                  where f(v) = v

The function goes behind, where `comparison.functions` can compute it, so that both orders are one expression.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from autoport.graph import Op
from autoport.graph.vocabulary.functions import compute
from autoport.graph.vocabulary.picking import Picks, picks

# From -300 to 300, dense near zero: dips and bounds of activations show.
_SIDE = np.concatenate([np.geomspace(1e-9, 1e-2, 100), np.linspace(0.01, 12, 2400), np.geomspace(12.1, 300, 100)])
SAMPLE = np.concatenate([-_SIDE[::-1], [0.0], _SIDE])
ROUNDING = 1e-12


def change_places(function: Op, picking: Op) -> bool:
    """Whether a function of single elements may as well be computed in front of an operation as behind it.

    Args:
        function: an operation of one operand.
        picking: the other operation; further operands, as an index, do not depend on the data.
    """
    picked = picks(picking.kind, picking.attrs)
    if picked is Picks.ELEMENTS_AND_PADDING:
        return _keeps(function, picking.attrs["value"])
    if picked is Picks.LARGEST:
        return _never_falls(function) and _keeps(function, picking.attrs.get("pad_value", -math.inf))
    return picked is Picks.ELEMENTS or (picked is Picks.SMALLEST and _never_falls(function))


def behind(function: Op, picking: Op) -> Op:
    """What picks elements for a function that is never negative: zeros around them show no more than none do."""
    if picking.attrs.get("pad_value") != 0 or not function.kind.is_non_negative:
        return picking
    return replace(picking, attrs=picking.attrs | {"pad_value": -math.inf})


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
