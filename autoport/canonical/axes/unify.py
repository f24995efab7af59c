"""Axes that meet in an elementwise operation are one axis: what is learned of one holds for all.

    flatten(map) + dense(x)        the outputs of the dense layer are `(h w c)`, too

So a layer whose outputs are added to a flattened map is permuted with it. A layer whose outputs are reshaped
to a map only after an addition learns of that, too. Where two orders meet and neither side can take the
other's, the order is lost, and the weights along it are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autoport.graph import axes as ax
from autoport.graph.axes import Atom, Axis


def align(inputs: Sequence[Sequence[Axis]]) -> Iterator[list[Axis]]:
    """Axes that meet by broadcasting, from the last one backwards."""
    for back in range(1, max(map(len, inputs), default=0) + 1):
        yield [a[-back] for a in inputs if len(a) >= back]


def unify(axes: Iterable[Axis]) -> bool:
    """Gives axes that meet one order, but for those of size 1; False if there is no such order."""
    orders = dict.fromkeys(tuple(tuple(ax.leaves(segment)) for segment in axis) for axis in axes)
    large = [order for order in orders if ax.axis_size(order) > 1]
    if len(large) < 2 or not all(map(ax.is_known, large)):
        return True
    free = [order[0][0] for order in large if _is_free(order)]
    fixed = [order for order in large if not _is_free(order)]
    if not fixed:
        _join(free[0], free[1:])
        return True
    if len(fixed) > 1 and len({_names_and_sizes(order) for order in fixed}) > 1:
        return all(_is_single(order) for order in fixed) or _lose(free)
    if len(fixed[0]) > 1:
        return not free or _lose(free)
    for atom in free:
        if len(fixed[0][0]) > 1 or atom.name == fixed[0][0][0].name:
            atom.parts = list(fixed[0][0])
    return True


def _is_free(order: Axis) -> bool:
    """Whether an axis is one atom that no operation has composed, cut or resized."""
    if len(order) != 1 or len(order[0]) != 1:
        return False
    atom = order[0][0]
    return atom.parent is None and atom.origin is None and atom.name in (None, "c")


def _is_single(order: Axis) -> bool:
    """Whether an axis is one atom, of any name, and so has no order within."""
    return len(order) == 1 and len(order[0]) == 1


def _join(first: Atom, others: Sequence[Atom]) -> None:
    """Makes free atoms one."""
    for other in others:
        if other.name == first.name:
            other.parts = [first]


def _names_and_sizes(order: Axis) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple(tuple(ax.named_sizes(segment)) for segment in order)


def _lose(free: Sequence[Atom]) -> bool:
    for atom in free:
        atom.lost = True
    return False
