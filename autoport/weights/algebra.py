"""Reads and writes pieces of numpy arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from autoport.weights.piece import Piece, format_pattern, parse_pattern

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Term:
    """One summand of a target piece: `factor` times a source piece."""

    source: Piece
    factor: float = 1.0

    def __str__(self) -> str:
        return {1.0: "", -1.0: "-"}.get(self.factor, f"{self.factor:g} ") + str(self.source)


def sum_of(terms: Sequence[Term]) -> str:
    """A sum in one line.

    Example:
        >>> bias, kernel = Piece("b", "o", {"o": 2}), Piece("k", "o i", {"o": 2, "i": 3})
        >>> sum_of([Term(kernel), Term(bias, -1.0)])
        'o i - o'
    """
    signed = [f" - {replace(t, factor=-t.factor)}" if t.factor < 0 else f" + {t}" for t in terms[1:]]
    return "".join([*map(str, terms[:1]), *signed])


@dataclass(frozen=True)
class Part:
    """A piece of a target tensor and its value: the sum of the terms, or `fill` if there are none."""

    target: Piece
    terms: tuple[Term, ...] = ()
    fill: float = 0.0


def same_part(first: Part, second: Part) -> bool:
    """Whether two parts put the same values into the same places, whatever they call their axes."""
    return first == second or _normal_form(first) == _normal_form(second)


def _normal_form(part: Part) -> tuple[Any, ...]:
    """A part whose axes are numbered in the order of the target; axes that stay together everywhere count as one."""
    pieces = [part.target, *(term.source for term in part.terms)]
    layouts = [parse_pattern(piece.pattern) for piece in pieces]
    chosen = {name for piece in pieces for name in piece.select}
    followers = [_followers(layout) for layout in layouts]
    joined = {
        name
        for name, before in followers[0].items()
        if not chosen & {name, before} and all(after.get(name) == before for after in followers)
    }
    order = [name for names in layouts[0] for name in names]
    number = {name: k for k, name in enumerate(name for name in order if name not in joined)}
    spelled = [
        tuple(tuple(number.get(n, n) for n in names if n not in joined) for names in layout) for layout in layouts
    ]
    facts = [
        (
            piece.tensor,
            sorted((number.get(n, n), k, piece.sizes[n]) for n, k in piece.select.items()),
            dict(piece.narrow),
        )
        for piece in pieces
    ]
    return spelled, facts, [term.factor for term in part.terms], part.fill if not part.terms else None


def _followers(layout: Sequence[Sequence[str]]) -> dict[str, str]:
    """For each axis the one in front of it in its dimension."""
    return {name: before for names in layout for before, name in pairwise(names)}


def view(array: Array, piece: Piece) -> Array:
    """The piece of an array, with its axes in the order of their names.

    Args:
        array: the stored tensor.
        piece: which part of it.

    Returns:
        A view: writing into it writes into `array`.

    Example:
        >>> kernel = np.arange(6).reshape(2, 3)
        >>> view(kernel, Piece.of("kernel", "o i", kernel.shape)).shape
        (3, 2)
    """
    ranges = [slice(*piece.narrow[d]) if d in piece.narrow else slice(None) for d in range(array.ndim)]
    axes = sorted(piece.axes)
    chosen = sorted(piece.select)
    spread = rearrange(array[(*ranges, ...)], f"{piece.pattern} -> {' '.join(chosen + axes)}", **piece.sizes)
    index: tuple[Any, ...] = (*(piece.select[axis] for axis in chosen), ...)
    selected: Array = spread[index]
    return selected


def assemble(shape: Sequence[int], dtype: np.dtype[Any], parts: Sequence[Part], read: Callable[[str], Array]) -> Array:
    """Builds a target tensor from its parts.

    Args:
        shape: of the target.
        dtype: of the target; sums are formed in the widest type of their terms.
        parts: disjoint; together they cover the tensor.
        read: gives the stored source tensor of a path.
    """
    result: Array = np.empty(tuple(shape), dtype)
    for part in parts:
        place = view(result, part.target)
        if part.terms:
            copy(place, content(part, read))
        else:
            place[...] = part.fill
    return result


# Elements of a block of `copy`, along the contiguous axis of the source and along that of the target: both fit into the
# cache.
COPY_BLOCK = 64, 256


def copy(target: Array, source: Array) -> None:
    """Writes `source` into `target`, block by block where their memory orders differ.

    Args:
        target: an array, most likely a view; it is changed.
        source: an array of the same shape.
    """
    nearest = min(range(target.ndim), key=lambda axis: abs(source.strides[axis]), default=0)
    order = sorted(range(target.ndim), key=lambda axis: abs(target.strides[axis]))
    if target.size < COPY_BLOCK[0] * COPY_BLOCK[1] or order[0] == nearest:
        target[...] = source
        return
    steps, room = [1] * target.ndim, COPY_BLOCK[1]
    for axis in order:
        steps[axis] = COPY_BLOCK[0] if axis == nearest else max(1, min(target.shape[axis], room))
        room //= 1 if axis == nearest else target.shape[axis]
    starts = (range(0, size, step) for size, step in zip(target.shape, steps, strict=True))
    for corner in itertools.product(*starts):
        block = tuple(slice(start, start + step) for start, step in zip(corner, steps, strict=True))
        target[block] = source[block]


def slabs(
    shape: Sequence[int], dtype: np.dtype[Any], parts: Sequence[Part], read: Callable[[str], Array], limit: int
) -> Iterator[Array]:
    """Builds a target tensor slab by slab along its first dimension that is not of size 1, where its parts allow it.

    A dimension of several axes is cut along the first of them that is fine enough, at each index of those in front.

    Args:
        shape: of the target.
        dtype: of the target.
        parts: disjoint; together they cover the tensor.
        read: gives the stored source tensor of a path.
        limit: bytes of a slab, roughly.

    Yields:
        Consecutive slabs of the tensor along that dimension.
    """
    names, nbytes = _slowest(parts, shape), math.prod(shape) * dtype.itemsize
    if not names or nbytes <= limit:
        yield from ranges(assemble(shape, dtype, parts, read), limit)
        return
    (part,) = parts
    sizes, dim = part.target.sizes, leading(shape)
    bytes_of = [nbytes // math.prod(sizes[name] for name in names[: k + 1]) for k in range(len(names))]
    depth = next((k for k, count in enumerate(bytes_of) if count <= limit), len(names) - 1)
    outer, axis, steps = names[:depth], names[depth], max(1, limit // bytes_of[depth])
    value, order = content(part, read), sorted(part.target.axes)
    for indices in itertools.product(*(range(sizes[name]) for name in outer)):
        for start in range(0, sizes[axis], steps):
            index_of: dict[str, Any] = {**dict(zip(outer, indices, strict=True)), axis: slice(start, start + steps)}
            piece = _cut(part.target, outer, axis, min(steps, sizes[axis] - start))
            rows = math.prod(piece.sizes[name] for name in names[depth:])
            slab: Array = np.empty((*shape[:dim], rows, *shape[dim + 1 :]), dtype)
            copy(view(slab, piece), value[tuple(index_of.get(name, slice(None)) for name in order)])
            yield slab


def _slowest(parts: Sequence[Part], shape: Sequence[int]) -> list[str]:
    """The axes of the dimension to cut; none unless a single part without an index makes the tensor."""
    is_one_piece = (
        len(parts) == 1 and bool(parts[0].terms) and not parts[0].target.select and not parts[0].target.narrow
    )
    return parse_pattern(parts[0].target.pattern)[leading(shape)] if is_one_piece and shape else []


def _cut(piece: Piece, fixed: Sequence[str], axis: str, count: int) -> Piece:
    """The piece without its fixed axes, and with `count` indices along another one."""
    dims = [[name for name in names if name not in fixed] for names in parse_pattern(piece.pattern)]
    sizes = {name: size for name, size in piece.sizes.items() if name not in fixed}
    return replace(piece, pattern=format_pattern(dims), sizes={**sizes, axis: count})


def leading(shape: Sequence[int]) -> int:
    """The first dimension that is not of size 1, along which slabs are cut; 0 if there is none."""
    return next((dim for dim, size in enumerate(shape) if size != 1), 0)


def ranges(array: Array, limit: int) -> Iterator[Array]:
    """Consecutive views of an array, of roughly `limit` bytes each."""
    if array.nbytes <= limit:
        yield array
        return
    dim = leading(array.shape)
    steps = max(1, limit * array.shape[dim] // array.nbytes)
    for start in range(0, array.shape[dim], steps):
        yield array[(slice(None),) * dim + (slice(start, start + steps),)]


def enumerate_slabs(shape: Sequence[int], pieces: Iterable[Array]) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Slabs of a tensor, as `slabs` makes them, each with its index in the tensor.

    Args:
        shape: of the tensor.
        pieces: consecutive slabs; together they cover the tensor.
    """
    dim, row = leading(shape), 0
    for piece in pieces:
        rows = piece.shape[dim] if shape else 0
        yield (*(slice(None),) * dim, slice(row, row + rows)) if shape else (), piece
        row += rows


def content(part: Part, read: Callable[[str], Array]) -> Array:
    """The value of a part: the sum of its terms, or its `fill`."""
    if not part.terms:
        return np.asarray(part.fill)
    first, *rest = part.terms
    value = view(read(first.source.tensor), first.source)
    if not rest and first.factor == 1:
        return value
    summed: Array = value * value.dtype.type(first.factor)
    for term in rest:
        other = view(read(term.source.tensor), term.source)
        summed = summed + other * other.dtype.type(term.factor)
    return summed


SLAB_ELEMENTS = 2**20  # that a check looks at in one go


def all_finite(value: Array) -> bool:
    """Whether a tensor holds neither NaN nor infinity; the check needs hardly any memory.

    A sum is NaN or infinite if one of its terms is. It may also overflow, so such a slab is checked term by term.
    """
    if not np.issubdtype(value.dtype, np.inexact):
        return True
    with np.errstate(all="ignore"):
        return all(np.isfinite(slab.sum()) or np.isfinite(slab).all() for slab in flat_slabs(value))


def flat_slabs(value: Array) -> Iterator[Array]:
    """Consecutive ranges of a flattened array; views where it is contiguous."""
    flat = value.reshape(-1)
    return (flat[start : start + SLAB_ELEMENTS] for start in range(0, flat.size, SLAB_ELEMENTS))
