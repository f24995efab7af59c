"""Names for the axes of data, kept through reshapes, so that a flattened map is known as `(h w c)`.

An axis is a row of segments (what a concatenation put side by side), a segment a product of atoms
(what a reshape multiplied). An atom is an object, so what is learned of it later holds everywhere:
a reshape may split it into parts, and a convolution that reads a part may give it its name. That is
how a dense layer whose outputs are reshaped to a map learns that they are `(h w c)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

UNKNOWN = "?"


@dataclass(eq=False)
class Atom:
    """A factor of an axis.

    Attributes:
        size: number of positions.
        name: `n`, `c`, `h`, ...; None for a part that nothing has named yet, `?` if it cannot be known.
        parts: what a reshape has split it into, outermost first.
        parent: what it is a part of.
        origin: the atom that it was before pooling, padding or slicing changed its size.
        lost: whether the order of its positions cannot be known any more: two orders met of which neither
            could be given to the other, or what was composed was cut across.
        copies: whether all positions hold the same.
    """

    size: int
    name: str | None
    parts: list[Atom] = field(default_factory=list)
    origin: Atom | None = None
    parent: Atom | None = None
    lost: bool = False
    copies: bool = False

    def call(self, name: str) -> None:
        """Names an atom that has no name, and what it was resized from."""
        atom: Atom | None = self
        while atom is not None and atom.name is None:
            atom.name = name
            atom = atom.origin


Segment = tuple[Atom, ...]
Axis = tuple[Segment, ...]


def axis(name: str | None, size: int) -> Axis:
    """A plain axis; one of size 1 has no atoms."""
    return ((Atom(size, name),) if size != 1 else (),)


def unfolded(name: str, sizes: Sequence[int]) -> list[Axis]:
    """An axis of that name as several dimensions."""
    whole = Atom(math.prod(sizes), name)
    large = [size for size in sizes if size != 1]
    parts = [whole] if len(large) == 1 else [Atom(size, None, parent=whole) for size in large]
    whole.parts = parts if len(large) > 1 else []
    rest = iter(parts)
    return [((next(rest),) if size != 1 else (),) for size in sizes]


def segment_size(segment: Segment) -> int:
    """Number of positions in a segment."""
    return math.prod(atom.size for atom in segment)


def axis_size(segments: Axis) -> int:
    """Number of positions along an axis."""
    return sum(segment_size(segment) for segment in segments)


def unknown(shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes of which nothing is known but their sizes."""
    return tuple(axis(UNKNOWN, size) for size in shape)


def lost(shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes whose order cannot be known any more."""
    return tuple(((Atom(size, UNKNOWN, lost=True),) if size != 1 else (),) for size in shape)


def leaves(segment: Sequence[Atom]) -> list[Atom]:
    """The atoms of a segment, each as the parts that it was split into."""
    found: list[Atom] = []
    waiting = list(reversed(segment))
    while waiting:
        atom = waiting.pop()
        if atom.parts:
            waiting += reversed(atom.parts)
        else:
            found.append(atom)
    return found


def is_known(segments: Axis) -> bool:
    """Whether the order of positions along the axis is known."""
    return all(atom.name != UNKNOWN for segment in segments for atom in leaves(segment))


def is_lost(segments: Axis) -> bool:
    """Whether the order of positions along the axis cannot be known any more."""
    return any(atom.lost for segment in segments for atom in leaves(segment))


def is_plain(segments: Axis) -> bool:
    """Whether an axis is not composed of others."""
    return len(segments) == 1 and len(spelled(segments[0])) <= 1


def name_plain(segments: Axis, name: str) -> None:
    """Names an axis that is a single atom without a name."""
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    if len(atoms) == 1:
        atoms[0].call(name)


def name_parts(segments: Axis, name: str) -> None:
    """Names the parts along an axis that channels were split into and that have no name."""
    for atom in (leaf for segment in segments for leaf in leaves(segment)):
        if _root(atom).name in (None, "c"):
            atom.call(name)


def of_channels(segments: Axis) -> bool:
    """Whether all parts along an axis are some that channels were split into."""
    return all(_root(leaf).name == "c" for segment in segments for leaf in leaves(segment))


def copied(segments: Axis, size: int) -> Axis:
    """An axis of that size: itself, or copies of its one position."""
    if axis_size(segments) == size:
        return segments
    return ((Atom(size, UNKNOWN, copies=axis_size(segments) == 1),),)


def plain_name(segments: Axis) -> str | None:
    """The name of an axis that is a single atom."""
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    return atoms[0].name if len(atoms) == 1 else None


def known_name(segments: Axis, *, ordered: bool = False) -> str | None:
    """The names along an axis in one text, sorted unless `ordered`; None if one lacks."""
    atoms = [leaf for segment in segments for leaf in leaves(segment)]
    names = [atom.name for atom in atoms if atom.name not in (None, UNKNOWN)]
    if not names or len(names) < len(atoms):
        return None
    return " ".join(str(name) for name in (names if ordered else sorted(map(str, names))))


def resized(segments: Axis, size: int) -> Axis:
    """The axis after padding, pooling or slicing changed its size."""
    if axis_size(segments) == size:
        return segments
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    if len(atoms) == 1 and size != 1:
        return ((Atom(size, atoms[0].name, origin=atoms[0], lost=atoms[0].lost),),)
    return lost([size])[0] if len(atoms) > 1 or len(segments) > 1 else axis(UNKNOWN, size)


def sliced(segments: Axis, start: int, stop: int) -> Axis:
    """The positions of an axis from `start` up to `stop`; what a concatenation put side by side comes apart again."""
    result: list[Segment] = []
    for segment in segments:
        size = segment_size(segment)
        first, last = max(start, 0), min(stop, size)
        if first < last:
            result += resized((segment,), last - first)
        start, stop = start - size, stop - size
    return tuple(result)


def concatenated(parts: Sequence[Axis]) -> Axis:
    """Axes put side by side; plain ones of one name next to each other stay one segment, also those of one position."""
    if all(axis_size(part) == 1 for part in parts):
        return axis(None, len(parts))
    joined: list[Segment] = []
    for segment in (segment for part in parts for segment in part):
        both = [leaves(joined[-1]), leaves(segment)] if joined else []
        names = {atom.name for atoms in both for atom in atoms}
        if both and max(map(len, both)) <= 1 and len(names) == 1 and not names & {None, UNKNOWN}:
            joined[-1] = (Atom(segment_size(joined[-1]) + segment_size(segment), next(iter(names))),)
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
    if large and sum(size != 1 for size in wanted) == 1 and all(len(a) == 1 for a in large[1:]):
        # What was put side by side along the outermost axis stays side by side.
        inner = tuple(atom for a in large[1:] for atom in leaves(a[0]))
        merged = tuple((*segment, *inner) for segment in large[0])
        return [merged if size != 1 else axis(None, 1) for size in wanted]
    if any(len(a) > 1 for a in large):
        return list(lost(wanted))
    atoms = [atom for a in large for atom in leaves(a[0])]
    result: list[Axis] = []
    for size in wanted:
        segment = _take(atoms, size)
        if segment is None:
            return list(lost(wanted))
        result.append((tuple(segment),))
    return result


def _take(atoms: list[Atom], size: int) -> list[Atom] | None:
    """Removes atoms with the product `size` from the front, splitting one if need be."""
    segment: list[Atom] = []
    room = size
    while room > 1:
        if not atoms:
            return None
        atom = atoms.pop(0)
        if atom.size > room:
            if atom.size % room:
                return None
            outer, inner = _split(atom, room)
            atoms.insert(0, inner)
            atom = outer
        if room % atom.size:
            return None
        segment.append(atom)
        room //= atom.size
    return segment


def _split(atom: Atom, outer: int) -> list[Atom]:
    name = UNKNOWN if atom.name == UNKNOWN else None
    atom.parts = [Atom(size, name, parent=atom, lost=atom.lost) for size in (outer, atom.size // outer)]
    return atom.parts


def spelled(segment: Segment) -> list[tuple[str, int]]:
    """Names and sizes of a segment, for a layout.

    Parts of an atom that stand together again in their order, and that nothing has named, are that
    atom. Other parts without a name are numbered behind the name of what they are part of.
    """
    atoms = leaves(segment)
    named: list[tuple[str, int]] = []
    while atoms:
        root = _root(atoms[0])
        whole = leaves([root])
        together = atoms[: len(whole)]
        if len(whole) > 1 and together == whole and all(leaf.name is None for leaf in whole):
            named.append((root.name or UNKNOWN, root.size))
            atoms = atoms[len(whole) :]
        else:
            leaf = atoms.pop(0)
            named.append((leaf.name or f"{root.name or 'x'}{whole.index(leaf) + 1}", leaf.size))
    return _distinct(named)


def _root(atom: Atom) -> Atom:
    while atom.parent is not None:
        atom = atom.parent
    return atom


def _distinct(named: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Numbers names that occur several times."""
    seen: Counter[str] = Counter()
    result = []
    for name, size in named:
        seen[name] += 1
        result.append((name if seen[name] == 1 else f"{name}_{seen[name]}", size))
    return result
