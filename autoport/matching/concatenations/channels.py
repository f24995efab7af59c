"""Follows the channels of a concatenation to every weight that lies along them.

Channels go on unchanged through what treats each of them alike (activations, pooling, norms), end
where they are summed over, and meet others in elementwise arithmetic: what is added to them lies in
the same order, so it is followed, too, back to the layer that made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autoport.canonical.axes.layout import NUMBERED
from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.graph.axes import Atom
from autoport.weights.role import Role


class LostError(Exception):
    """The channels cannot be followed: an operation is in the way."""


@dataclass
class Channels:
    """Where the channels of a concatenation are found.

    Attributes:
        atoms: the axes that they are.
        along: by operation, the axes of its weights that lie along them, each with the segment of them that does
            where an operation reads several.
        joined: concatenations that make one axis of them and others.
        visible: whether an output of the model has them.
    """

    atoms: set[Atom] = field(default_factory=set)
    along: dict[str, set[tuple[str, int | None]]] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    visible: bool = False


def follow(graph: Graph, start: Value, dim: int) -> Channels:
    """Follows the channels that a concatenation makes.

    Args:
        graph: one side.
        start: the concatenation's result.
        dim: the dimension that is concatenated.

    Raises:
        LostError: an operation is in the way; the text says which.
    """
    walk = _Walk(graph, start)
    walk.join(graph.axes[start][dim], graph.op(start.op))
    while walk.open:
        walk.open = False
        for op in graph.ops():
            walk.visit(op)
    result = walk.result
    result.visible = any(walk.dims(value) for value in graph.outputs)
    return result


class _Walk:
    def __init__(self, graph: Graph, start: Value) -> None:
        self.graph, self.start = graph, start
        self.result = Channels()
        self.open = False

    def dims(self, value: Value) -> list[int]:
        """Dimensions of a value that have the channels in them."""
        axes = self.graph.axes.get(value, ())
        return [d for d, axis in enumerate(axes) if any(self._has(segment) for segment in axis)]

    def _has(self, segment: ax.Segment) -> bool:
        return any(atom in self.result.atoms for atom in ax.leaves(segment))

    def join(self, axis: ax.Axis, op: Op) -> None:
        """Adds an axis to those that are the channels."""
        atoms = ax.leaves(axis[0]) if len(axis) == 1 else []
        if len(atoms) != 1 or atoms[0].name in (None, ax.UNKNOWN):
            raise LostError(f"its channels cannot be followed through {op}")
        if atoms[0] not in self.result.atoms:
            self.result.atoms.add(atoms[0])
            self.open = True

    def visit(self, op: Op) -> None:
        read = [(place, dim) for place, value in enumerate(op.inputs) for dim in self.dims(value)]
        made = self.dims(Value(op.name)) if op.shapes else []
        if op.name == self.start.op or not (read or made):
            return
        if op.kind.is_arithmetic and len(op.inputs) > 1:
            self._meet(op, read, made)
        elif op.kind.is_layer:
            self._weigh(op, read, made)
        elif op.kind.is_join:
            self._concatenate(op, read)
        elif len(op.inputs) != 1 or not (op.kind.reduces or (self._stay(op, read) and len(made) == len(read))):
            raise LostError(f"{op} is in the way")

    def _stay(self, op: Op, read: list[tuple[int, int]]) -> bool:
        """Whether an operation of one operand moves no position along the dimensions that have the channels."""
        moved = op.kind.moves.along(op.attrs)
        return moved is not None and moved.isdisjoint(dim for _, dim in read)

    def _meet(self, op: Op, read: list[tuple[int, int]], made: list[int]) -> None:
        """Operands of arithmetic have the same channels, or one value for all of them."""
        shapes = [self.graph.axes[value] for value in op.inputs]
        backward = {dim - len(op.shapes[0]) for dim in made} | {dim - len(shapes[place]) for place, dim in read}
        for axes in (*shapes, self.graph.axes[Value(op.name)]):
            for dim in backward:
                if -dim <= len(axes) and ax.axis_size(axes[dim]) > 1:
                    self.join(axes[dim], op)

    def _weigh(self, op: Op, read: list[tuple[int, int]], made: list[int]) -> None:
        """A layer reads them, or makes what they are added to."""
        bound = {place: name for name, place in op.attrs.get("binds", {}).items()}
        outputs = {dim: name for name, dim in op.attrs.get("outputs", {}).items()}
        if op.attrs.get("groups", 1) != 1:
            raise LostError(f"{op} is in the way")
        found = self.result.along.setdefault(op.name, set())
        passed: set[Atom] = set()
        for place, dim in read:
            axis = self.graph.axes[op.inputs[place]][dim]
            if (place, dim) in bound:
                found.add(self._name(bound[place, dim], axis, op))
            elif place or not op.kind.passes_axes:
                raise LostError(f"{op} is in the way")
            passed.update(atom for segment in axis for atom in ax.leaves(segment))
        for dim in made:
            axis = self.graph.axes[Value(op.name)][dim]
            if not passed & set(ax.leaves(axis[0])):
                if dim not in outputs:
                    raise LostError(f"{op} is in the way")
                found.add(self._name(outputs[dim], axis, op))

    def _name(self, name: str, axis: ax.Axis, op: Op) -> tuple[str, int | None]:
        """What the channels are called in the layouts of an operation's weights, and in which segment of them."""
        numbers = [number for number, segment in enumerate(axis) if self._has(segment)]
        if len(numbers) != 1:
            raise LostError(f"{op} is in the way")
        segment = axis[numbers[0]]
        size = next(atom.size for atom in ax.leaves(segment) if atom in self.result.atoms)
        if not ax.is_plain(axis) or NUMBERED.fullmatch(name):
            names, atoms = [name for name, _ in ax.named_sizes(segment)], ax.leaves(segment)
            name = next(n for n, atom in zip(names, atoms, strict=False) if atom in self.result.atoms)
        place = numbers[0] if len(axis) > 1 else None
        found = [weight for role, weight in op.weights.items() if in_segment(role, place)]
        pieces = [piece for weight in found for piece in weight.pieces if name in piece.axes]
        if not pieces or any(piece.axes[name] != size for piece in pieces):
            raise LostError(f"{op} is in the way")
        return name, place

    def _own(self, value: Value, dim: int) -> set[Atom]:
        """The channels along one dimension."""
        axes = self.graph.axes.get(value, ())
        return self.result.atoms & {atom for segment in axes[dim] for atom in ax.leaves(segment)} if axes else set()

    def _concatenate(self, op: Op, read: list[tuple[int, int]]) -> None:
        """Next to other channels they are looked after with those; along tokens all operands share them."""
        dim = op.attrs["axis"]
        if all(place == dim for _, place in read):
            left = {atom for value in op.inputs for atom in self._own(value, dim)}
            if not left <= self._own(Value(op.name), dim):
                self.result.joined.add(op.name)
        elif any(place == dim for _, place in read):
            raise LostError(f"{op} is in the way")
        else:
            for value in op.inputs:
                for place in {place for _, place in read}:
                    self.join(self.graph.axes[value][place], op)


def in_segment(role: str, segment: int | None) -> bool:
    """Whether a weight lies along one segment of what an operation reads; see `autoport.canonical.axes.layout`."""
    return segment is None or Role.of(role).parts[:1] == ((segment,),)
