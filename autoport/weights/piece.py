"""Parts of stored tensors with named axes, as operations of either side read them.

A layout is written in einops notation: `h w i o` is a Keras convolution kernel, `o i h w` the
same thing in PyTorch, `(gate u) i` an LSTM kernel whose gates are stacked. Axes of size 1 are
written `1`, so a dense kernel `i o` and a 1x1 convolution `1 1 i o` have the same axes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

Dims = list[list[str]]


def parse_pattern(pattern: str) -> Dims:
    """Splits a layout into one list of axis names for each dimension.

    Example:
        >>> parse_pattern("(h w) o 1")
        [['h', 'w'], ['o'], []]
    """
    groups = re.findall(r"\(([^)]*)\)|(\S+)", pattern)
    return [[name for name in (inner or single).split() if name != "1"] for inner, single in groups]


def format_pattern(dims: Sequence[Sequence[str]]) -> str:
    """The inverse of `parse_pattern`."""
    return " ".join("1" if not names else names[0] if len(names) == 1 else f"({' '.join(names)})" for names in dims)


def _solve_sizes(dims: Dims, shape: Sequence[int], axis_sizes: Mapping[str, int]) -> dict[str, int]:
    if len(dims) != len(shape):
        raise ValueError(f"layout {format_pattern(dims)!r} does not fit the shape {tuple(shape)}")
    sizes = dict(axis_sizes)
    for names, extent in zip(dims, shape, strict=True):
        open_names = [name for name in names if name not in sizes]
        rest = math.prod(sizes[name] for name in names if name in sizes)
        if len(open_names) > 1 or rest == 0 or extent % rest or (not open_names and rest != extent):
            raise ValueError(f"cannot split a dimension of {extent} into ({' '.join(names)})")
        if open_names:
            sizes[open_names[0]] = extent // rest
    return {name: sizes[name] for names in dims for name in names}


@dataclass(frozen=True)
class Piece:
    """A part of one stored tensor.

    `pattern` names the axes of the stored tensor; `select` picks one index along some of them,
    for example `gate=2`. Two pieces with the same axes hold the same thing in two layouts, so
    `f"{source.pattern} -> {target.pattern}"` is the transform, and swapping it the inverse.

    Args:
        tensor: path of the stored tensor.
        pattern: its layout.
        sizes: the size of every axis named in the layout.
        select: the index taken along an axis, by axis name.
        narrow: the range taken along a stored dimension before the layout is read, by dimension.
    """

    tensor: str
    pattern: str
    sizes: Mapping[str, int]
    select: Mapping[str, int] = field(default_factory=dict)
    narrow: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tensor: str,
        pattern: str,
        shape: Sequence[int],
        select: Mapping[str, int] | None = None,
        narrow: Mapping[int, tuple[int, int]] | None = None,
        **axis_sizes: int,
    ) -> Piece:
        """Reads the sizes off `shape` and writes axes of size 1 as `1`.

        Args:
            tensor: path of the stored tensor.
            pattern: einops layout of `shape`.
            shape: stored shape.
            select: index taken along some axes.
            narrow: range taken along some stored dimensions.
            **axis_sizes: sizes of axes that share a dimension; one of each dimension may be left out.

        Raises:
            ValueError: the layout does not fit the shape.

        Example:
            >>> Piece.of("kernel", "h w i o", (1, 1, 16, 32)).pattern
            '1 1 i o'
        """
        dims = parse_pattern(pattern)
        ranges = dict(narrow or {})
        extents = [stop - start for start, stop in (ranges.get(d, (0, n)) for d, n in enumerate(shape))]
        sizes = _solve_sizes(dims, extents, axis_sizes)
        chosen = {name: index for name, index in (select or {}).items() if sizes[name] != 1}
        kept = [[name for name in names if sizes[name] != 1] for names in dims]
        sizes = {name: size for name, size in sizes.items() if size != 1}
        return cls(tensor, format_pattern(kept), sizes, chosen, ranges)

    @property
    def axes(self) -> dict[str, int]:
        """The axes of the piece itself: those that are not selected."""
        return {name: size for name, size in self.sizes.items() if name not in self.select}

    def dimension(self, axis: str) -> int:
        """The stored dimension that an axis lies in."""
        return next(d for d, names in enumerate(parse_pattern(self.pattern)) if axis in names)

    def take(self, axis: str, start: int, stop: int) -> Piece:
        """The part of the piece from `start` to `stop` along an axis with a dimension of its own."""
        dim = self.dimension(axis)
        first = self.narrow.get(dim, (0, 0))[0]
        ranges = {**self.narrow, dim: (first + start, first + stop)}
        return replace(self, sizes={**self.sizes, axis: stop - start}, narrow=ranges)

    def renamed(self, axis: str, name: str) -> Piece:
        """The piece with another name for an axis; an axis of size 1 has no name."""
        return self.expand(axis, [(name, self.sizes[axis])]) if axis in self.sizes else self

    def expand(self, axis: str, names: Sequence[tuple[str, int]]) -> Piece:
        """The piece with one axis written as the product of others, for example `i` as `(h w c)`."""
        other_names = set(self.sizes) - {axis}
        fresh = [(name if name not in other_names else f"{name}_in", size) for name, size in names]
        dims = [
            [new for name in dim for new in ([n for n, _ in fresh] if name == axis else [name])]
            for dim in parse_pattern(self.pattern)
        ]
        sizes = {name: size for name, size in self.sizes.items() if name != axis} | dict(fresh)
        return replace(self, pattern=format_pattern(dims), sizes=sizes)

    def __str__(self) -> str:
        chosen = [f"{axis}={index}" for axis, index in self.select.items()]
        chosen += [f"dim {dim}: {start}..{stop}" for dim, (start, stop) in self.narrow.items()]
        return f"{self.pattern} [{', '.join(chosen)}]" if chosen else self.pattern


@dataclass(frozen=True)
class Weight:
    """What an operation reads in one role: the sum of its pieces, or `fill` if it has none."""

    pieces: tuple[Piece, ...] = ()
    fill: float = 0.0

    @property
    def axes(self) -> dict[str, int]:
        """Named axes of the value; empty for a constant."""
        return self.pieces[0].axes if self.pieces else {}
