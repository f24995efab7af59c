"""Names for the axes of data, kept through reshapes, so that a flattened map is known as `(h w c)`.

An axis is a row of segments (what a concatenation put side by side), a segment a product of atoms
(what a reshape multiplied), an atom a name and a size. Axes of size 1 have no atoms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Atom = tuple[str, int]
Segment = tuple[Atom, ...]
Axis = tuple[Segment, ...]
UNKNOWN = "?"


def axis(name: str, size: int) -> Axis:
    """A plain axis."""
    return (((name, size),) if size != 1 else (),)


def segment_size(segment: Segment) -> int:
    """Number of positions in a segment."""
    return math.prod(size for _, size in segment)


def axis_size(segments: Axis) -> int:
    """Number of positions along an axis."""
    return sum(segment_size(segment) for segment in segments)


def unknown(shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes of which nothing is known but their sizes."""
    return tuple(axis(UNKNOWN, size) for size in shape)


def is_known(segments: Axis) -> bool:
    """Whether every atom has a name."""
    return all(name != UNKNOWN for segment in segments for name, _ in segment)


def resized(segments: Axis, size: int) -> Axis:
    """The axis after padding, pooling or slicing changed its size."""
    if axis_size(segments) == size:
        return segments
    names = {name for segment in segments for name, _ in segment}
    return axis(names.pop() if len(names) == 1 else UNKNOWN, size)


def concatenated(parts: Sequence[Axis]) -> Axis:
    """Axes put side by side; plain channels next to each other stay one segment."""
    joined: list[Segment] = []
    for segment in (segment for part in parts for segment in part):
        if joined and len(joined[-1]) == len(segment) == 1 and joined[-1][0][0] == segment[0][0]:
            joined[-1] = ((segment[0][0], joined[-1][0][1] + segment[0][1]),)
        else:
            joined.append(segment)
    return tuple(joined)


def reshaped(axes: Sequence[Axis], shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes after a reshape: equal products of old and new sizes are regrouped piece by piece."""
    result: list[Axis] = []
    old, new = list(axes), list(shape)
    while old or new:
        taken, wanted = [old.pop(0)] if old else [], [new.pop(0)] if new else []
        while _product(taken) != math.prod(wanted):
            if _product(taken) < math.prod(wanted) and old:
                taken.append(old.pop(0))
            elif new:
                wanted.append(new.pop(0))
            else:
                return unknown(shape)
        result += _regrouped(taken, wanted)
    return tuple(result)


def _product(axes: Sequence[Axis]) -> int:
    return math.prod(axis_size(a) for a in axes)


def _regrouped(taken: list[Axis], wanted: list[int]) -> list[Axis]:
    """Distributes the atoms of `taken` over dimensions of the sizes `wanted`."""
    large = [a for a in taken if axis_size(a) != 1]
    if len(large) == 1 and sum(size != 1 for size in wanted) == 1:
        return [large[0] if size != 1 else axis("", 1) for size in wanted]
    if any(len(a) > 1 for a in large):
        return list(unknown(wanted))
    atoms = [atom for a in large for atom in a[0]]
    result: list[Axis] = []
    for size in wanted:
        segment: list[Atom] = []
        while math.prod(n for _, n in segment) < size and atoms:
            name, extent = atoms.pop(0)
            room = size // math.prod(n for _, n in segment)
            if extent > room:
                if extent % room or room == 1:
                    return list(unknown(wanted))
                atoms.insert(0, (f"{name}2", extent // room))
                name, extent = f"{name}1", room
            segment.append((name, extent))
        if math.prod(n for _, n in segment) != size:
            return list(unknown(wanted))
        result.append((_fused(segment),))
    return result


def _fused(atoms: list[Atom]) -> Segment:
    """Puts the two halves of a split atom together again."""
    joined: list[Atom] = []
    for name, size in atoms:
        if joined and name.endswith("2") and joined[-1][0] == f"{name[:-1]}1":
            joined[-1] = (name[:-1], joined[-1][1] * size)
        else:
            joined.append((name, size))
    return tuple(joined)
