"""Follows the channels of a concatenation to every weight that lies along them.

Channels pass unchanged through operations that treat each of them alike (activations, pooling, norms). They
end where a layer sums over them. They meet others in elementwise arithmetic: an operand that is added to
them has the same order, so it is followed, too, back to the layer that made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autoport.canonical.axes.layout import NUMBERED
from autoport.graph import Graph, Op, Value
from autoport.graph import axes as ax
from autoport.graph.axes import Atom
from autoport.weights.role import Role


class LostError(Exception):
    """The channels cannot be followed through an operation."""


@dataclass
class Channels:
    """The channels of a concatenation, and the weights along them.

    Attributes:
        atoms: their axes.
        along: by operation, the axes of its weights along them; with the segment of the channels, where it
            reads several segments.
        joined: concatenations that join them with other channels.
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
    walk = _ChannelWalk(graph, start)
    walk.join(graph.axes[start][dim], graph.op(start.op))
    while walk.open:
        walk.open = False
        for op in graph.ops():
            walk.visit(op)
    result = walk.result
    result.visible = any(walk.dims(value) for value in graph.outputs)
    return result


class _ChannelWalk:
    def __init__(self, graph: Graph, start: Value) -> None:
        self.graph, self.start = graph, start
        self.result = Channels()
        self.open = False

    def dims(self, value: Value) -> list[int]:
        """Dimensions of a value that hold the channels."""
        axes = self.graph.axes.get(value, ())
        return [d for d, axis in enumerate(axes) if any(self._has(segment) for segment in axis)]

    def _has(self, segment: ax.Segment) -> bool:
        return any(atom in self.result.atoms for atom in ax.leaves(segment))

    def join(self, axis: ax.Axis, op: Op) -> None:
        """Adds an axis to those of the channels."""
        atoms = ax.leaves(axis[0]) if len(axis) == 1 else []
        if len(atoms) != 1 or atoms[0].name in (None, ax.UNKNOWN):
            raise LostError(f"its channels cannot be followed through {op}")
        if atoms[0] not in self.result.atoms:
            self.result.atoms.add(atoms[0])
            self.open = True

    def visit(self, op: Op) -> None:
        read_dims = [(place, dim) for place, value in enumerate(op.inputs) for dim in self.dims(value)]
        made_dims = self.dims(Value(op.name)) if op.shapes else []
        if op.name == self.start.op or not (read_dims or made_dims):
            return
        if op.kind.is_arithmetic and len(op.inputs) > 1:
            self._meet(op, read_dims, made_dims)
        elif op.kind.is_layer:
            self._note_weights(op, read_dims, made_dims)
        elif op.kind.is_join:
            self._concatenate(op, read_dims)
        elif len(op.inputs) != 1 or not (op.kind.reduces or self._stay(op, read_dims, made_dims)):
            raise LostError(f"{op} is in the way")

    def _stay(self, op: Op, read_dims: list[tuple[int, int]], made_dims: list[int]) -> bool:
        """Whether an operation of one operand keeps the channels, and moves no position along them."""
        moved = op.kind.moves.along(op.attrs)
        still = moved is not None and moved.isdisjoint(dim for _, dim in read_dims)
        return still and len(made_dims) == len(read_dims)

    def _meet(self, op: Op, read_dims: list[tuple[int, int]], made_dims: list[int]) -> None:
        """Operands of arithmetic have the same channels, or one value for all channels."""
        shapes = [self.graph.axes[value] for value in op.inputs]
        backward = {dim - len(op.shapes[0]) for dim in made_dims}
        backward |= {dim - len(shapes[place]) for place, dim in read_dims}
        for axes in (*shapes, self.graph.axes[Value(op.name)]):
            for dim in backward:
                if -dim <= len(axes) and ax.axis_size(axes[dim]) > 1:
                    self.join(axes[dim], op)

    def _note_weights(self, op: Op, read_dims: list[tuple[int, int]], made_dims: list[int]) -> None:
        """A layer reads the channels, or makes the tensor that they are added to."""
        bound = {place: name for name, place in op.attrs.get("binds", {}).items()}
        outputs = {dim: name for name, dim in op.attrs.get("outputs", {}).items()}
        if op.attrs.get("groups", 1) != 1:
            raise LostError(f"{op} is in the way")
        lying_along = self.result.along.setdefault(op.name, set())
        passed: set[Atom] = set()
        for place, dim in read_dims:
            axis = self.graph.axes[op.inputs[place]][dim]
            if (place, dim) in bound:
                lying_along.add(self._name(bound[place, dim], axis, op))
            elif place or not op.kind.passes_axes:
                raise LostError(f"{op} is in the way")
            passed.update(atom for segment in axis for atom in ax.leaves(segment))
        for dim in made_dims:
            axis = self.graph.axes[Value(op.name)][dim]
            if not passed & set(ax.leaves(axis[0])):
                if dim not in outputs:
                    raise LostError(f"{op} is in the way")
                lying_along.add(self._name(outputs[dim], axis, op))

    def _name(self, name: str, axis: ax.Axis, op: Op) -> tuple[str, int | None]:
        """The name of the channels in the layouts of an operation's weights, and their segment."""
        numbers = [number for number, segment in enumerate(axis) if self._has(segment)]
        if len(numbers) != 1:
            raise LostError(f"{op} is in the way")
        segment = axis[numbers[0]]
        size = next(atom.size for atom in ax.leaves(segment) if atom in self.result.atoms)
        if not ax.is_plain(axis) or NUMBERED.fullmatch(name):
            names, atoms = [name for name, _ in ax.named_sizes(segment)], ax.leaves(segment)
            name = next(n for n, atom in zip(names, atoms, strict=False) if atom in self.result.atoms)
        place = numbers[0] if len(axis) > 1 else None
        weights = [weight for role, weight in op.weights.items() if in_segment(role, place)]
        pieces = [piece for weight in weights for piece in weight.pieces if name in piece.axes]
        if not pieces or any(piece.axes[name] != size for piece in pieces):
            raise LostError(f"{op} is in the way")
        return name, place

    def _channels_along(self, value: Value, dim: int) -> set[Atom]:
        """The channels along one dimension."""
        axes = self.graph.axes.get(value, ())
        return self.result.atoms & {atom for segment in axes[dim] for atom in ax.leaves(segment)} if axes else set()

    def _concatenate(self, op: Op, read_dims: list[tuple[int, int]]) -> None:
        """Joined with others they are part of that concatenation; joined along tokens, all operands share them."""
        dim = op.attrs["axis"]
        if all(place == dim for _, place in read_dims):
            left = {atom for value in op.inputs for atom in self._channels_along(value, dim)}
            if not left <= self._channels_along(Value(op.name), dim):
                self.result.joined.add(op.name)
        elif any(place == dim for _, place in read_dims):
            raise LostError(f"{op} is in the way")
        else:
            for value in op.inputs:
                for place in {place for _, place in read_dims}:
                    self.join(self.graph.axes[value][place], op)


def in_segment(role: str, segment: int | None) -> bool:
    """Whether a weight lies along one segment of what an operation reads; see `autoport.canonical.axes.layout`."""
    return segment is None or Role.of(role).parts[:1] == ((segment,),)
