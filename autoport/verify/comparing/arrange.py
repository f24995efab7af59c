"""Puts a TensorFlow value into the layout of its PyTorch counterpart.

The names of the axes decide (`n h w c -> n c h w`, `n (h w c) -> n (c h w)`). Where a name is missing, the
shapes decide. Where several orders of axes have the right shape, the values decide: the order in which they agree best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from einops import rearrange

from autoport.graph import axes as ax
from autoport.graph.axes import Atom, Axis, Segment
from autoport.verify.comparing.compare import APART, Gap, gap
from autoport.weights.algebra import Array

# Orders of axes to try: all of four axes.
MOST_ORDERS = math.factorial(4)


@dataclass(frozen=True)
class Layouts:
    """The axes of a value on either side, as far as they have names, and its shape in PyTorch.

    Attributes:
        tf: axes of the TensorFlow value.
        torch: axes of the PyTorch value.
        shape: of the PyTorch value.
        moved: PyTorch axes with another order of positions; for each position the Keras one.
    """

    tf: Sequence[Axis]
    torch: Sequence[Axis]
    shape: tuple[int, ...]
    moved: Mapping[Atom, Sequence[int]] = field(default_factory=dict)

    @property
    def pattern(self) -> tuple[str, dict[str, int]] | None:
        """The einops pattern from TensorFlow to PyTorch, with the sizes of its axes; None if a name is missing."""
        source, target = _named_dims(self.tf), _named_dims(self.torch)
        if source is None or target is None:
            return None
        sizes, others = ({name: size for dim in dims for name, size in dim} for dims in (source, target))
        return (f"{_pattern_side(source)} -> {_pattern_side(target)}", sizes) if sizes.keys() == others.keys() else None

    def places(self) -> Iterator[tuple[int, Array]]:
        """Dimensions of the PyTorch value with another order of positions; for each position the Keras one."""
        for dim, axis in enumerate(self.torch):
            atoms = [atom for segment in axis for atom in ax.leaves(segment)]
            if len(axis) == 1 and any(atom in self.moved for atom in atoms):
                places = np.arange(ax.axis_size(axis)).reshape([atom.size for atom in atoms])
                for place, atom in enumerate(atoms):
                    places = places.take(self.moved.get(atom, range(atom.size)), axis=place)
                yield dim, places.ravel()


def arrange(array: Array, layouts: Layouts, like: torch.Tensor | None, limit: float) -> tuple[torch.Tensor | None, Gap]:
    """The TensorFlow value as PyTorch lays it out, and how far it is from PyTorch's.

    Args:
        array: the TensorFlow value.
        layouts: the axes of both sides.
        like: the PyTorch value; None if there is none.
        limit: a relative error up to which values agree.

    Returns:
        No tensor if no order of axes gives the PyTorch shape.
    """
    named = _arrange_by_name(array, layouts)
    if like is None:
        first = named if named is not None else next(_orders_by_shape(array, layouts.shape), None)
        first = None if first is None else _permute(first, layouts)
        return None if first is None else torch.from_numpy(first), APART
    best: tuple[torch.Tensor | None, Gap] = None, APART
    for candidate in itertools.chain([] if named is None else [named], _orders_by_shape(array, tuple(like.shape))):
        tensor = torch.from_numpy(_permute(candidate, layouts))
        error = gap(tensor, like)
        if best[0] is None or (error.relative < best[1].relative and (named is None or error.relative <= limit)):
            best = tensor, error
        if error.relative <= limit:
            break
    return best


def _permute(array: Array, layouts: Layouts) -> Array:
    """Positions along permuted axes in PyTorch's order."""
    for dim, places in layouts.places() if layouts.moved else ():
        if array.shape[dim : dim + 1] == places.shape:  # values that differ may have other sizes
            array = array.take(places, axis=dim)
    return array


def _named_dims(axes: Sequence[Axis]) -> list[list[tuple[str, int]]] | None:
    """Names and sizes along every axis; None if a name is missing, or not unique."""
    if any(len(axis) != 1 for axis in axes):
        return None
    dims = [ax.named_sizes(axis[0]) for axis in axes]
    names = [name for dim in dims for name, _ in dim]
    complete = all(ax.UNKNOWN not in name and name.isidentifier() for name in names)
    return dims if complete and len(set(names)) == len(names) else None


def _arrange_by_name(array: Array, layouts: Layouts) -> Array | None:
    pattern_and_sizes = layouts.pattern
    if [ax.axis_size(axis) for axis in layouts.tf] != list(array.shape):
        return None
    if pattern_and_sizes is None:
        return _arrange_by_segment(array, layouts)
    pattern, sizes = pattern_and_sizes
    arranged: Array = np.ascontiguousarray(rearrange(array, pattern, **sizes))
    return arranged


def _arrange_by_segment(array: Array, layouts: Layouts) -> Array | None:
    """Each part of a concatenation by its own names, which another part may have, too."""
    joined = [[dim for dim, axis in enumerate(axes) if len(axis) > 1] for axes in (layouts.tf, layouts.torch)]
    if [len(dims) for dims in joined] != [1, 1]:
        return None
    (before,), (after,) = joined
    sides = layouts.tf[before], layouts.torch[after]
    if len(sides[0]) != len(sides[1]):
        return None
    ends = np.cumsum([ax.axis_size((segment,)) for segment in sides[0]])
    arranged = [
        _arrange_by_name(part, Layouts(_replaced(layouts.tf, before, left), _replaced(layouts.torch, after, right), ()))
        for part, left, right in zip(np.array_split(array, ends[:-1], before), *sides, strict=True)
    ]
    parts = [part for part in arranged if part is not None]
    return np.concatenate(parts, after) if len(parts) == len(arranged) else None


def _replaced(axes: Sequence[Axis], dim: int, segment: Segment) -> list[Axis]:
    return [(segment,) if place == dim else axis for place, axis in enumerate(axes)]


def _pattern_side(dims: Sequence[Sequence[tuple[str, int]]]) -> str:
    return " ".join(f"({' '.join(name for name, _ in dim)})" for dim in dims)


def _orders_by_shape(array: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The value in every order of its axes that has the shape; its own order comes first."""
    if array.size != math.prod(shape):
        return
    if array.ndim != len(shape):
        array = array.reshape([size for size in array.shape if size != 1])
    wanted = [size for size in shape if size != 1] if array.ndim != len(shape) else list(shape)
    if sorted(array.shape) == sorted(wanted):
        orders = (o for o in itertools.permutations(range(array.ndim)) if [array.shape[d] for d in o] == wanted)
        for order in itertools.islice(orders, MOST_ORDERS):
            yield np.ascontiguousarray(array.transpose(order)).reshape(shape)
    else:
        yield np.ascontiguousarray(array).reshape(shape)
