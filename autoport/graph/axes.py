"""Names for the axes of data, kept through reshapes, so that a flattened map is known as `(h w c)`.

An axis is a row of segments: a concatenation puts them side by side. A segment is a product of atoms: a
reshape multiplies them. An atom is an object, so what one place learns of it holds everywhere: a reshape
may split it into parts, and a convolution that reads a part may name it. So a dense layer whose outputs
are reshaped to a map learns that they are `(h w c)`.
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
        parts: the atoms that a reshape split it into, outermost first.
        parent: the atom that it is a part of.
        origin: the atom that it was before pooling, padding or slicing changed its size.
        lost: whether the order of its positions is lost for good. Two orders met and neither side could take
            the other's, or an operation cut across a composite axis.
        copies: whether all positions hold the same value.
    """

    size: int
    name: str | None
    parts: list[Atom] = field(default_factory=list)
    origin: Atom | None = None
    parent: Atom | None = None
    lost: bool = False
    copies: bool = False

    def call(self, name: str) -> None:
        """Names an atom that has no name, and the atoms that it was resized from."""
        atom: Atom | None = self
        while atom is not None and atom.name is None:
            atom.name = name
            atom = atom.origin


Segment = tuple[Atom, ...]
Axis = tuple[Segment, ...]
Axes = tuple[Axis, ...]


def axis(name: str | None, size: int) -> Axis:
    """A plain axis; one of size 1 has no atoms."""
    return ((Atom(size, name),) if size != 1 else (),)


def unfold(name: str, sizes: Sequence[int]) -> list[Axis]:
    """One axis, unfolded to several dimensions of some sizes."""
    composite = Atom(math.prod(sizes), name)
    large = [size for size in sizes if size != 1]
    parts = [composite] if len(large) == 1 else [Atom(size, None, parent=composite) for size in large]
    composite.parts = parts if len(large) > 1 else []
    rest = iter(parts)
    return [((next(rest),) if size != 1 else (),) for size in sizes]


def segment_size(segment: Segment) -> int:
    """Number of positions in a segment."""
    return math.prod(atom.size for atom in segment)


def axis_size(segments: Axis) -> int:
    """Number of positions along an axis."""
    return sum(segment_size(segment) for segment in segments)


def unknown_axes(shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes without names: only their sizes are known."""
    return tuple(axis(UNKNOWN, size) for size in shape)


def lost_axes(shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes whose order of positions is lost."""
    return tuple(((Atom(size, UNKNOWN, lost=True),) if size != 1 else (),) for size in shape)


def leaves(segment: Sequence[Atom]) -> list[Atom]:
    """The atoms of a segment, each as the parts that it was split into."""
    parts: list[Atom] = []
    waiting = list(reversed(segment))
    while waiting:
        atom = waiting.pop()
        if atom.parts:
            waiting += reversed(atom.parts)
        else:
            parts.append(atom)
    return parts


def is_known(segments: Axis) -> bool:
    """Whether the order of positions along the axis is known."""
    return all(atom.name != UNKNOWN for segment in segments for atom in leaves(segment))


def is_lost(segments: Axis) -> bool:
    """Whether the order of positions along the axis is lost."""
    return any(atom.lost for segment in segments for atom in leaves(segment))


def is_plain(segments: Axis) -> bool:
    """Whether an axis is a single one, not a composite of several."""
    return len(segments) == 1 and len(named_sizes(segments[0])) <= 1


def name_plain(segments: Axis, name: str) -> None:
    """Names an axis that is a single atom without a name."""
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    if len(atoms) == 1:
        atoms[0].call(name)


def name_parts(segments: Axis, name: str) -> None:
    """Names the nameless parts of channels along an axis."""
    for atom in (leaf for segment in segments for leaf in leaves(segment)):
        if _root(atom).name in (None, "c"):
            atom.call(name)


def of_channels(segments: Axis) -> bool:
    """Whether all parts along an axis are parts of channels."""
    return all(_root(leaf).name == "c" for segment in segments for leaf in leaves(segment))


def copy_axis(segments: Axis, size: int) -> Axis:
    """An axis of that size: itself, or copies of its one position."""
    if axis_size(segments) == size:
        return segments
    return ((Atom(size, UNKNOWN, copies=axis_size(segments) == 1),),)


def plain_name(segments: Axis) -> str | None:
    """The name of an axis that is a single atom."""
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    return atoms[0].name if len(atoms) == 1 else None


def known_name(segments: Axis, *, ordered: bool = False) -> str | None:
    """The names along an axis in one text, sorted unless `ordered`; None if one is missing."""
    atoms = [leaf for segment in segments for leaf in leaves(segment)]
    names = [atom.name for atom in atoms if atom.name not in (None, UNKNOWN)]
    if not names or len(names) < len(atoms):
        return None
    return " ".join(str(name) for name in (names if ordered else sorted(map(str, names))))


def resize(segments: Axis, size: int) -> Axis:
    """The axis after padding, pooling or slicing changed its size."""
    if axis_size(segments) == size:
        return segments
    atoms = leaves(segments[0]) if len(segments) == 1 else []
    if len(atoms) == 1 and size != 1:
        return ((Atom(size, atoms[0].name, origin=atoms[0], lost=atoms[0].lost),),)
    return lost_axes([size])[0] if len(atoms) > 1 or len(segments) > 1 else axis(UNKNOWN, size)


def slice_axis(segments: Axis, start: int, stop: int) -> Axis:
    """The positions of an axis from `start` up to `stop`; the segments of a concatenation come apart again."""
    result: list[Segment] = []
    for segment in segments:
        size = segment_size(segment)
        first, last = max(start, 0), min(stop, size)
        if first < last:
            result += resize((segment,), last - first)
        start, stop = start - size, stop - size
    return tuple(result)


def concatenate(parts: Sequence[Axis]) -> Axis:
    """Axes side by side; neighbours that are plain and have one name become one segment, even at size 1."""
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


def reshape(axes: Sequence[Axis], shape: Sequence[int]) -> tuple[Axis, ...]:
    """Axes after a reshape: the shortest runs of old and new sizes with equal products are regrouped one by one."""
    result: list[Axis] = []
    old, new = list(axes), list(shape)
    while old or new:
        group, sizes = [old.pop(0)] if old else [], [new.pop(0)] if new else []
        while _product(group) != math.prod(sizes):
            if _product(group) < math.prod(sizes) and old:
                group.append(old.pop(0))
            elif new:
                sizes.append(new.pop(0))
            else:
                return unknown_axes(shape)
        result += _regroup(group, sizes)
    return tuple(result)


def _product(axes: Sequence[Axis]) -> int:
    return math.prod(axis_size(a) for a in axes)


def _regroup(axes: list[Axis], sizes: list[int]) -> list[Axis]:
    """Distributes the atoms of `axes` over dimensions of the sizes `sizes`."""
    large = [a for a in axes if axis_size(a) != 1]
    if large and sum(size != 1 for size in sizes) == 1 and all(len(a) == 1 for a in large[1:]):
        # What was put side by side along the outermost axis stays side by side.
        inner = tuple(atom for a in large[1:] for atom in leaves(a[0]))
        merged = tuple((*segment, *inner) for segment in large[0])
        return [merged if size != 1 else axis(None, 1) for size in sizes]
    if any(len(a) > 1 for a in large):
        return list(lost_axes(sizes))
    atoms = [atom for a in large for atom in leaves(a[0])]
    result: list[Axis] = []
    for size in sizes:
        segment = _take(atoms, size)
        if segment is None:
            return list(lost_axes(sizes))
        result.append((tuple(segment),))
    return result


def _take(atoms: list[Atom], size: int) -> list[Atom] | None:
    """Removes atoms with the product `size` from the front, and splits one if it must."""
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


def named_sizes(segment: Segment) -> list[tuple[str, int]]:
    """Names and sizes of a segment, for a layout.

    Nameless parts of an atom that stand together in their order are that atom. Other nameless parts get the
    name of their atom and a number.
    """
    atoms = leaves(segment)
    named: list[tuple[str, int]] = []
    while atoms:
        root = _root(atoms[0])
        siblings = leaves([root])
        together = atoms[: len(siblings)]
        if len(siblings) > 1 and together == siblings and all(leaf.name is None for leaf in siblings):
            named.append((root.name or UNKNOWN, root.size))
            atoms = atoms[len(siblings) :]
        else:
            leaf = atoms.pop(0)
            named.append((leaf.name or f"{root.name or 'x'}{siblings.index(leaf) + 1}", leaf.size))
    return _number_duplicates(named)


def _root(atom: Atom) -> Atom:
    while atom.parent is not None:
        atom = atom.parent
    return atom


def _number_duplicates(named: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Adds a number to names that occur several times."""
    seen: Counter[str] = Counter()
    result = []
    for name, size in named:
        seen[name] += 1
        result.append((name if seen[name] == 1 else f"{name}_{seen[name]}", size))
    return result
