"""Places in models: the operation, edge, output or model that a fact is about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from autoport.facts.framework import Both, Framework, TwoSided

MODELS = Both("the Keras model", "the PyTorch model")


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
        direction: `input` or `output`.
        number: its position, from 0.
    """

    direction: str
    number: int

    def __str__(self) -> str:
        return f"{self.direction} {self.number}"


@dataclass(frozen=True)
class Place:
    """An operation, an edge to one, an output, or a model as a whole.

    Two places are equal if people cannot tell them apart: operations of one layer are.

    Attributes:
        path: the layer or module of the operation.
        kind: its class, or the name of the function.
        producer: for an edge, the place that makes the value; the other attributes are those of the consumer.
        port: for an output of the model, which one.
        model: for a model as a whole, its side.
        name: the operation's key in the graph of its side.
        operation: its kind in the shared vocabulary.

    Example:
        >>> str(Place("conv1", "Conv2d", producer=Place("x", "input")))
        'x (input) -> conv1 (Conv2d)'
    """

    path: str = ""
    kind: str = ""
    producer: Place | None = None
    port: Port | None = None
    model: Framework | None = None
    name: str = field(default="", compare=False)
    operation: str = field(default="", compare=False)

    @property
    def consumer(self) -> Place:
        """For an edge, the place that reads; any other place is its own."""
        return replace(self, producer=None)

    def __str__(self) -> str:
        if self.producer is not None:
            return f"{self.producer} -> {self.consumer}"
        if self.port is not None:
            return str(self.port)
        return f"{self.path} ({self.kind})" if self.kind else self.path or (MODELS[self.model] if self.model else "")


@dataclass(frozen=True)
class Matched(TwoSided[Place]):
    """Two places, one in either model, that belong together."""

    tf: Place
    torch: Place

    def __str__(self) -> str:
        return f"{self.tf} and {self.torch}"


WHOLE = Place(model=Framework.TF), Place(model=Framework.TORCH)
