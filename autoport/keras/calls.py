"""What a rule sees: a call of a known Keras layer, or a TensorFlow operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from autoport.graph import Stored, Value
from autoport.graph.build import Builder
from autoport.keras.trace import LayerCall


def is_variable(value: Any) -> bool:
    """Whether a value is a variable of TensorFlow or of Keras."""
    return any(isinstance(holder, tf.Variable) for holder in (value, getattr(value, "value", None)))


class KerasContext(Protocol):
    """What rules ask of the lowering that calls them."""

    builder: Builder

    def value(self, tensor: Any) -> Value:
        """A tensor or a variable as data, wherever it comes from."""

    def source(self, tensor: Any) -> Any:
        """Where a tensor comes from: `Value`, `Stored`, or None for a constant."""

    def static_value(self, tensor: Any) -> Any:
        """A constant as an array; None for anything else."""

    def shape_of(self, tensor: Any) -> tuple[int, ...]:
        """Shape of a tensor; -1 for an open size."""

    def path_of(self, variable: Any) -> str:
        """Path under which a variable is registered."""


class _Source:
    """What calls of both tables share."""

    lowering: KerasContext

    @property
    def build(self) -> Builder:
        """The builder of the graph, which takes operations."""
        return self.lowering.builder

    def path_of(self, variable: Any) -> str | None:
        """Path of a variable; None if there is no variable."""
        return None if variable is None else self.lowering.path_of(variable)


@dataclass
class Layer(_Source):
    """A call of a known layer, as rules see it."""

    call: LayerCall
    lowering: KerasContext

    @property
    def layer(self) -> Any:
        """The layer object."""
        return self.call.layer

    def inputs(self, *names: str) -> list[Value]:
        """Tensors among the arguments, in order; with `names`, only those of these parameters."""
        chosen = [self.call.arguments.get(name) for name in names] if names else list(self.call.arguments.values())
        return [self.lowering.value(t) for t in tf.nest.flatten(chosen) if isinstance(t, tf.Tensor) or is_variable(t)]

    @property
    def x(self) -> Value:
        """The first tensor among the arguments."""
        return self.inputs()[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of that tensor."""
        return self.build.graph.shape(self.x)

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.lowering.shape_of(self.call.outputs[0])

    def weights(self, **patterns: tuple[Any, str]) -> Any:
        """Weights by role from `role=(variable, layout)`; a variable that is None gives none."""
        return self.build.weights(**{role: (self.path_of(v), p) for role, (v, p) in patterns.items()})

    def piece(self, variable: Any, pattern: str, select: Mapping[str, int] | None = None, **sizes: int) -> Any:
        """A piece of a variable; see `Piece.of`."""
        return self.build.piece(str(self.path_of(variable)), pattern, select, **sizes)

    def emit(self, kind: str, inputs: Sequence[Value] | None = None, **attrs: Any) -> Value:
        """Emits one operation whose result has the shape of this call's first output."""
        return self.build.emit(kind, [self.x] if inputs is None else inputs, self.out, **attrs)


@dataclass
class RawOp(_Source):
    """A TensorFlow operation outside of every known layer, as rules see it."""

    op: Any
    lowering: KerasContext

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.lowering.shape_of(self.op.outputs[0])

    def source(self, index: int) -> Any:
        """Where input `index` comes from: `Value`, `Stored`, or None for a constant."""
        return self.lowering.source(self.op.inputs[index])

    def data(self, index: int) -> Value:
        """Input `index` as data."""
        return self.lowering.value(self.op.inputs[index])

    def stored(self, index: int) -> str | None:
        """Path of the variable that input `index` reads; None if it reads none."""
        source = self.source(index)
        return source.path if isinstance(source, Stored) else None

    def constant(self, index: int) -> Any:
        """Value of input `index` as an array; None if it is no constant."""
        return self.lowering.static_value(self.op.inputs[index])

    def emit(self, kind: str, inputs: Iterable[int] | None = None, **attrs: Any) -> Value:
        """Emits one operation with the shapes of these outputs; `inputs` are indices, all of them when left out."""
        chosen = range(len(self.op.inputs)) if inputs is None else inputs
        shapes = [self.lowering.shape_of(t) for t in self.op.outputs]
        return self.build.emit(kind, [self.data(k) for k in chosen], *shapes, **attrs)


def static_axes(value: Any, rank: int) -> tuple[int, ...]:
    """A constant axis argument as non-negative dimensions."""
    return tuple(sorted(int(axis) % rank for axis in np.ravel(value)))
