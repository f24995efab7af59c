"""Axes that an operation puts on each other are one axis: what is learned of one holds for all.

    flatten(map) + dense(x)        the outputs of the dense layer are `(h w c)`, too

So a layer whose outputs are added to a flattened map is permuted with it, and one that is added to
what is reshaped to a map later learns of that. Where two orders meet of which neither can be given
to the other, the order is lost, and the weights along it are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autoport.graph import axes as ax
from autoport.graph.axes import Atom, Axis


def aligned(inputs: Sequence[Sequence[Axis]]) -> Iterator[list[Axis]]:
    """Axes that broadcasting puts on each other, from the last one on."""
    for back in range(1, max(map(len, inputs), default=0) + 1):
        yield [a[-back] for a in inputs if len(a) >= back]


def unify(axes: Iterable[Axis]) -> bool:
    """Gives axes of one size, of which each may be of size 1, one order; False if there is none."""
    orders = dict.fromkeys(tuple(tuple(ax.leaves(segment)) for segment in axis) for axis in axes)
    large = [order for order in orders if ax.axis_size(order) > 1]
    if len(large) < 2 or not all(map(ax.is_known, large)):
        return True
    free = [order[0][0] for order in large if _is_free(order)]
    fixed = [order for order in large if not _is_free(order)]
    if not fixed:
        _join(free[0], free[1:])
        return True
    if len(fixed) > 1 and len({_spelled(order) for order in fixed}) > 1:
        return all(_is_single(order) for order in fixed) or _lose(free)
    if len(fixed[0]) > 1:
        return not free or _lose(free)
    for atom in free:
        if len(fixed[0][0]) > 1 or atom.name == fixed[0][0][0].name:
            atom.parts = list(fixed[0][0])
    return True


def _is_free(order: Axis) -> bool:
    """Whether an axis is one atom that nothing has composed, cut or resized."""
    if len(order) != 1 or len(order[0]) != 1:
        return False
    atom = order[0][0]
    return atom.parent is None and atom.origin is None and atom.name in (None, "c")


def _is_single(order: Axis) -> bool:
    """Whether an axis is one atom, whatever it is called, and has no order within."""
    return len(order) == 1 and len(order[0]) == 1


def _join(first: Atom, others: Sequence[Atom]) -> None:
    """Lets free atoms be one."""
    for other in others:
        if other.name == first.name:
            other.parts = [first]


def _spelled(order: Axis) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple(tuple(ax.named_sizes(segment)) for segment in order)


def _lose(free: Sequence[Atom]) -> bool:
    for atom in free:
        atom.lost = True
    return False
