"""What a rule sees: a recorded call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autoport.graph import Stored, Value
from autoport.graph.build import Builder
from autoport.internals.pytorch import tree_leaves
from autoport.pytorch.recording.recorder import TensorMeta


class TorchContext(Protocol):
    """What rules ask of the lowering that calls them."""

    builder: Builder

    def data(self, value: Any) -> Value:
        """A tensor as data, wherever it comes from."""


@dataclass
class Call:
    """One recorded call, with its arguments by name.

    Attributes:
        name: bare function name.
        arguments: by parameter name; tensors are `Value`, `Stored`, or None for a constant.
        result: its result, with a `TensorMeta` for each tensor.
        is_real: whether none of the tensors it was called with is complex.
    """

    name: str
    arguments: dict[str, Any]
    result: Any
    lowering: TorchContext
    is_real: bool

    @property
    def build(self) -> Builder:
        """The builder of the graph, which takes operations."""
        return self.lowering.builder

    def get(self, name: str, default: Any = None) -> Any:
        """An argument, or its default."""
        argument = self.arguments.get(name)
        return default if argument is None else argument

    def value(self, name: str) -> Value:
        """An argument as data; a stored tensor becomes a `parameter` operation."""
        return self.lowering.data(self.arguments[name])

    def stored(self, name: str) -> str | None:
        """Path of the stored tensor that is an argument; None if the argument is absent or computed."""
        argument = self.arguments.get(name)
        return argument.path if isinstance(argument, Stored) else None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an argument."""
        return self.build.graph.shape(self.value(name))

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of the result, or of its first tensor."""
        return tuple(next(t for t in tree_leaves(self.result) if isinstance(t, TensorMeta)).shape)

    def inputs(self) -> list[Value]:
        """Every tensor among the arguments, as data, in order."""
        leaves = tree_leaves(list(self.arguments.values()), is_leaf=lambda x: isinstance(x, Value))
        return [self.lowering.data(leaf) for leaf in leaves if isinstance(leaf, (Value, Stored))]

    def emit(self, kind: str, inputs: Sequence[Value] | None = None, **attrs: Any) -> Any:
        """Emits one operation with the shapes of this call's result; several tensors give a list of values."""
        tensors = [t for t in tree_leaves(self.result) if isinstance(t, TensorMeta)]
        chosen = self.inputs() if inputs is None else inputs
        first = self.build.emit(kind, chosen, *(tuple(t.shape) for t in tensors), **attrs)
        if isinstance(self.result, TensorMeta):
            return first
        return [Value(first.op, index) for index in range(len(tensors))]


def spatial(value: Any, rank: int) -> tuple[int, ...]:
    """An int or a sequence as one entry for each spatial axis."""
    return (value,) * rank if isinstance(value, int) else tuple(value) * (rank if len(value) == 1 else 1)
