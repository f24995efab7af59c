"""The two values of a difference: hyper-parameters as they are, and types for what is more than a number.

`text` puts any of them in words; a side that lacks the value has `None`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from autoport.facts.places import Place

# Operations that a text lists by name.
MOST_SHOWN = 3


@dataclass(frozen=True)
class Operations:
    """Operations on an edge, by kind, from the producer on."""

    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.kinds) or text(None)


@dataclass(frozen=True)
class OperandPlaces:
    """The places that an operation reads, in the order of its operands."""

    places: tuple[Place, ...]

    def __str__(self) -> str:
        return f"reads {', '.join(map(str, self.places)) or text(None)}"


@dataclass(frozen=True)
class LoneOperations:
    """Operations that one side computes and the other does not."""

    places: tuple[Place, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.places[:MOST_SHOWN])) or "nothing that matches"
        return shown + (f" and {len(self.places) - MOST_SHOWN} more" if self.places[MOST_SHOWN:] else "")


@dataclass(frozen=True)
class Along:
    """Axes of the data that an axis of an operation lies along.

    Attributes:
        what: an axis of an operation, `input` or `output`.
        axes: names; several in one where an axis is composed of others.
    """

    what: str
    axes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.what} along {', '.join(f'({axis})' for axis in self.axes)}"


@dataclass(frozen=True)
class Preprocessing:
    """A layer that prepares data: its class, and how it is set."""

    layer: str
    detail: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.detail}"


@dataclass(frozen=True)
class Momentum:
    """The share of a batch in moving statistics, as PyTorch gives it; Keras gives the share of the old statistics."""

    share: float

    def __str__(self) -> str:
        return f"{self.share} ({1 - self.share:g} in Keras)"


def freeze(value: Any) -> Any:
    """A hyper-parameter as an immutable value.

    Example:
        >>> freeze([[1, 2], 3])
        ((1, 2), 3)
    """
    if isinstance(value, (list, tuple)):
        return tuple(map(freeze, value))
    return value if isinstance(value, Hashable) else str(value)


def text(value: Any) -> str:
    """A value in words."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
