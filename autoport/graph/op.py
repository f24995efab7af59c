"""The parts of a graph: operations, the weights they read, the tensors that hold those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from autoport.facts.places import Place
from autoport.graph.vocabulary import NOTHING, Kind, kind_of
from autoport.weights.piece import Weight

Shape = tuple[int, ...]
# Keys of dictionaries and attributes, and places in tuples, from what a model returns to one of its tensors.
OutputPath = tuple[str | int, ...]
# Types that numpy lacks; arrays hold their values as float32.
NARROW = {"bfloat16", "float8_e4m3fn", "float8_e5m2"}


class Value(NamedTuple):
    """One output of one operation."""

    op: str
    output: int = 0


@dataclass(frozen=True)
class Tensor:
    """A stored tensor of a model: a Keras variable, or an entry of a `state_dict`.

    Args:
        path: its key on its own side; shown to people, never used to match.
        shape: as stored.
        dtype: name of the element type, for example `float32`.
        trainable: False for moving statistics and other buffers.
    """

    path: str
    shape: Shape
    dtype: str
    trainable: bool = True

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The numpy type that holds its values; float32 for narrow types that numpy lacks."""
        return np.dtype("float32" if self.dtype in NARROW else self.dtype)


@dataclass(frozen=True)
class Stored:
    """A stored tensor whose role is still open."""

    path: str


class Parameters(dict[str, Value]):
    """Values of stored tensors that are read as data, by path; the first read makes the value.

    Args:
        make: makes the value of a path.
    """

    def __init__(self, make: Callable[[str], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, path: str) -> Value:
        self[path] = self._make(path)
        return self[path]


class _KindField:
    """An attribute that turns the name of a kind into the kind."""

    def __get__(self, op: Op | None, owner: type[Op]) -> Kind:
        if op is None:
            raise AttributeError("an operation has a kind, its class does not")
        kind: Kind = op.__dict__["kind"]
        return kind

    def __set__(self, op: Op, name: str) -> None:
        op.__dict__["kind"] = kind_of(name)


@dataclass
class Op:
    """One operation in the shared vocabulary.

    Args:
        name: unique key within its graph.
        kind: the operation, for example `conv`, `dense`, `add`, `max_pool`; set by its name.
        path: the layer or module it was called in, shown to people.
        inputs: the values it consumes, in order.
        shapes: one shape for each output.
        weights: what it reads, by role (`kernel`, `bias`, `scale`, `offset`, `mean`, ...).
        attrs: hyper-parameters in the shared vocabulary.
        colour: kind and layout-free sizes, which must agree between counterparts.
        type: its class or function in the framework, shown to people.
    """

    name: str
    kind: _KindField = _KindField()
    path: str = ""
    inputs: tuple[Value, ...] = ()
    shapes: tuple[Shape, ...] = ()
    weights: dict[str, Weight] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    colour: tuple[Any, ...] = ()
    type: str = ""

    @property
    def tensors(self) -> list[str]:
        """Paths of the stored tensors it reads, each once, in order."""
        pieces = (piece.tensor for weight in self.weights.values() for piece in weight.pieces)
        return list(dict.fromkeys(pieces))

    def parameter(self, name: str) -> Any:
        """A hyper-parameter, or its default; None if it has neither."""
        default = self.kind.attribute(name).default
        return self.attrs.get(name, None if default is NOTHING else default)

    @property
    def place(self) -> Place:
        """Its place in the model, as people know it."""
        kind = str(self.kind)
        return Place(self.path or self.name, self.type or kind, name=self.name, operation=kind)

    def __str__(self) -> str:
        return str(self.place)
