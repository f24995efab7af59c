"""Windows of a pooling along the axes that it pools: one of a single position along any other axis does nothing.

A pooling of sequences is written as one of images with an axis of size 1, before the sequence or behind it.
"""

from __future__ import annotations

from typing import Any

from autoport.graph import Op

SIZES: dict[str, Any] = {"kernel_size": 1, "stride": 1, "padding": (0, 0), "dilation": 1}
NOTHING = tuple(SIZES.values())
Window = tuple[str | None, tuple[Any, ...]]


def same_windows(a: Op, b: Op) -> bool:
    """Whether two poolings, of which one names an axis that it does not pool, pool the same axes in the same way."""
    sides = [_windows(op) for op in (a, b) if op.kind.is_pool and "kernel_size" in op.attrs]
    if len(sides) < 2 or not any(sizes == NOTHING for side in sides for _, sizes in side):
        return False
    first, second = ([window for window in side if window[1] != NOTHING] for side in sides)
    return len(first) == len(second) and all(map(_agree, first, second))


def _windows(op: Op) -> list[Window]:
    """For each spatial axis its name, if it has one, and the sizes of the window along it."""
    axes = [axis for axis in op.attrs["layout"] if axis not in "nc"]
    reads = op.attrs.get("reads", {})
    columns = [_by_axis(op.attrs.get(name, default), default, len(axes)) for name, default in SIZES.items()]
    return [(reads.get(axis), sizes) for axis, sizes in zip(axes, zip(*columns, strict=True), strict=True)]


def _by_axis(value: Any, default: Any, axes: int) -> list[Any]:
    """An attribute for each axis; one number counts for all of them."""
    values = list(value) if isinstance(value, (tuple, list)) else [value] * axes
    return [tuple(part) if isinstance(default, tuple) else part for part in values]


def _agree(first: Window, second: Window) -> bool:
    names = {first[0], second[0]} - {None}
    return first[1] == second[1] and len(names) < 2
