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
    """A piece of a target tensor and what goes there: the sum of its terms, or `fill` without any."""

    target: Piece
    terms: tuple[Term, ...] = ()
    fill: float = 0.0


def same_part(first: Part, second: Part) -> bool:
    """Whether two parts put the same values into the same places, whatever they call their axes."""
    return first == second or _normal_form(first) == _normal_form(second)


def _normal_form(part: Part) -> tuple[Any, ...]:
    """A part with axes that stay together as one, numbered in the order of the target."""
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
    """For each axis the one that it follows in its dimension."""
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
    found: Array = spread[index]
    return found


def assemble(shape: Sequence[int], dtype: np.dtype[Any], parts: Sequence[Part], read: Callable[[str], Array]) -> Array:
    """Builds a target tensor from its parts.

    Args:
        shape: of the target.
        dtype: of the target; sums are formed in the widest type of their terms.
        parts: disjoint, and together the whole tensor.
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


# Elements of a block of `copy` along the source's order and along the target's: both fit into the cache.
BLOCK = 64, 256


def copy(target: Array, source: Array) -> None:
    """Writes `source` into `target`, block by block where the two lie in memory in different orders.

    Args:
        target: an array, most likely a view; it is changed.
        source: an array of the same shape.
    """
    nearest = min(range(target.ndim), key=lambda axis: abs(source.strides[axis]), default=0)
    order = sorted(range(target.ndim), key=lambda axis: abs(target.strides[axis]))
    if target.size < BLOCK[0] * BLOCK[1] or order[0] == nearest:
        target[...] = source
        return
    steps, room = [1] * target.ndim, BLOCK[1]
    for axis in order:
        steps[axis] = BLOCK[0] if axis == nearest else max(1, min(target.shape[axis], room))
        room //= 1 if axis == nearest else target.shape[axis]
    starts = (range(0, size, step) for size, step in zip(target.shape, steps, strict=True))
    for corner in itertools.product(*starts):
        block = tuple(slice(start, start + step) for start, step in zip(corner, steps, strict=True))
        target[block] = source[block]


def slabs(
    shape: Sequence[int], dtype: np.dtype[Any], parts: Sequence[Part], read: Callable[[str], Array], limit: int
) -> Iterator[Array]:
    """Builds a target tensor piece by piece along its first dimension but those of size 1, where its parts allow it.

    A dimension of several axes is cut along the first of them that is fine enough, at each index of those before.

    Args:
        shape: of the target.
        dtype: of the target.
        parts: disjoint, and together the whole tensor.
        read: gives the stored source tensor of a path.
        limit: bytes that a piece may have, about.

    Yields:
        What, one behind the other, is the tensor.
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
            taken: dict[str, Any] = {**dict(zip(outer, indices, strict=True)), axis: slice(start, start + steps)}
            piece = _cut(part.target, outer, axis, min(steps, sizes[axis] - start))
            rows = math.prod(piece.sizes[name] for name in names[depth:])
            slab: Array = np.empty((*shape[:dim], rows, *shape[dim + 1 :]), dtype)
            copy(view(slab, piece), value[tuple(taken.get(name, slice(None)) for name in order)])
            yield slab


def _slowest(parts: Sequence[Part], shape: Sequence[int]) -> list[str]:
    """The axes of the dimension that is cut, if there is but one part, of which any range can be made."""
    whole = len(parts) == 1 and bool(parts[0].terms) and not parts[0].target.select and not parts[0].target.narrow
    return parse_pattern(parts[0].target.pattern)[leading(shape)] if whole and shape else []


def _cut(piece: Piece, gone: Sequence[str], axis: str, count: int) -> Piece:
    """A piece at one index of some axes, and with so many of another."""
    dims = [[name for name in names if name not in gone] for names in parse_pattern(piece.pattern)]
    sizes = {name: size for name, size in piece.sizes.items() if name not in gone}
    return replace(piece, pattern=format_pattern(dims), sizes={**sizes, axis: count})


def leading(shape: Sequence[int]) -> int:
    """The first dimension that has not the size 1: the one that pieces of a tensor are ranges of."""
    return next((dim for dim, size in enumerate(shape) if size != 1), 0)


def ranges(array: Array, limit: int) -> Iterator[Array]:
    """An array as views of so many bytes, about, one behind the other."""
    if array.nbytes <= limit:
        yield array
        return
    dim = leading(array.shape)
    steps = max(1, limit * array.shape[dim] // array.nbytes)
    for start in range(0, array.shape[dim], steps):
        yield array[(slice(None),) * dim + (slice(start, start + steps),)]


def placed(shape: Sequence[int], pieces: Iterable[Array]) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Pieces of a tensor, as `slabs` makes them, with the index of the tensor that each belongs to.

    Args:
        shape: of the tensor.
        pieces: one behind the other, together the whole tensor.
    """
    dim, row = leading(shape), 0
    for piece in pieces:
        rows = piece.shape[dim] if shape else 0
        yield (*(slice(None),) * dim, slice(row, row + rows)) if shape else (), piece
        row += rows


def content(part: Part, read: Callable[[str], Array]) -> Array:
    """What goes into the target piece of a part: the sum of its terms."""
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


SLAB = 2**20


def all_finite(value: Array) -> bool:
    """Whether a tensor holds neither NaN nor infinity; the check needs next to no memory.

    A sum is NaN or infinite if one of its terms is. That it may also overflow is found out by looking at each term.
    """
    if not np.issubdtype(value.dtype, np.inexact):
        return True
    with np.errstate(all="ignore"):
        return all(np.isfinite(slab.sum()) or np.isfinite(slab).all() for slab in _flat_slabs(value))


def _flat_slabs(value: Array) -> Iterator[Array]:
    flat = value.reshape(-1)
    return (flat[start : start + SLAB] for start in range(0, flat.size, SLAB))
