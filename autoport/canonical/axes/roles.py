"""The names of the axes that an operation treats specially, by role: `reads`, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from autoport.canonical.axes.unify import align
from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.graph.axes import Axes, Axis


def note_roles(graph: Graph, op: Op) -> None:
    """Notes the names of the axes that an operation treats specially: `reads`."""
    inputs = [graph.axes[value] for value in op.inputs]
    roles: dict[str, Axis] = {}
    steps: dict[str, Axis] = {}
    if "layout" in op.attrs and len(inputs[0]) == len(op.attrs["layout"]):
        roles |= dict(zip(op.attrs["layout"], inputs[0], strict=True))
    for role, dim in op.attrs.get("sequence", {}).items():
        steps[role] = inputs[0][dim]
    if op.kind == "matmul":
        steps |= {f"operand {place}": inputs[place][dim] for place, dim in _summed_dims(op) if dim < len(inputs[place])}
    if op.kind == "attention":
        steps |= _attention_axes(op, inputs)
    for role, (index, dim) in op.attrs.get("binds", {}).items():
        if dim < len(inputs[index]):
            roles[role] = inputs[index][dim]
    if op.kind == "parameter":
        large = [axis for axis in graph.axes[Value(op.name)] if ax.axis_size(axis) > 1]
        steps = {f"p{place}": axis for place, axis in enumerate(large)}
    reads = {role: ax.known_name(axis) for role, axis in roles.items()}
    reads |= {role: ax.known_name(axis, ordered=True) for role, axis in steps.items()}
    if op.attrs.get("groups", 1) > 1 and "c" in roles:
        reads["grouped"] = _order(roles["c"])
    if op.kind.is_arithmetic and len(inputs) > 1:
        reads["operands"] = _conflicts(inputs)
    op.attrs["reads"] = {role: name for role, name in reads.items() if name is not None}


def _summed_dims(op: Op) -> list[tuple[int, int]]:
    """Operand and dimension of every axis that a product sums over."""
    *terms, out = op.attrs["equation"]
    return [(k, term.index(c)) for k, term in enumerate(terms) for c in term if c in terms[1 - k] and c not in out]


def _attention_axes(op: Op, inputs: Sequence[Axes]) -> dict[str, Axis]:
    """Axes along which queries and keys stand, and the number of heads on the way."""
    query, key = op.attrs["equation"][:2]
    first, second = op.attrs["tokens"]
    atoms = [atom for axis in inputs[0] for segment in axis for atom in ax.leaves(segment)]
    op.attrs["num_heads"] = prod(atom.size for atom in atoms if atom.name in ("heads", "sharing"))
    return {"tokens": inputs[0][query.index(first)], "keys": inputs[1][key.index(second)]}


def _order(axis: Axis) -> str | None:
    """The parts of channels in the order in which groups cut them, named or not; None if the order is unknown."""
    names = [name for segment in axis for name, _ in ax.named_sizes(segment)]
    return None if any(ax.UNKNOWN in name for name in names) else " ".join(names)


def _conflicts(inputs: Sequence[Axes]) -> str | None:
    """Axes of different names that meet in an elementwise operation; empty if there are none."""
    conflicts = set()
    for axes in align(inputs):
        names = {ax.known_name(axis) for axis in axes if ax.axis_size(axis) > 1}
        if None in names:
            return None
        if len(names) > 1:
            conflicts.add(" on ".join(sorted(str(name) for name in names)))
    return ", ".join(sorted(conflicts))
