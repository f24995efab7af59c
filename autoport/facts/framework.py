"""The two sides of every match, and one type for values that both have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Framework(str, Enum):
    """A side of a match: the Keras or TensorFlow model, or the PyTorch model.

    Example:
        >>> Framework("tf").other
        <Framework.TORCH: 'torch'>
    """

    TF = "tf"
    TORCH = "torch"

    @property
    def other(self) -> Framework:
        """The opposite side."""
        return Framework.TF if self is Framework.TORCH else Framework.TORCH

    def __str__(self) -> str:
        return self.value


def direction(to: str) -> Framework:
    """The side that is written.

    Args:
        to: `torch` or `tf`.

    Raises:
        ValueError: it is neither.
    """
    try:
        return Framework(to)
    except ValueError:
        raise ValueError(f"to must be 'torch' or 'tf', not {to!r}") from None


class TwoSided(Generic[T]):
    """Something that both sides have.

    Attributes:
        tf: that of the Keras model.
        torch: that of the PyTorch model.
    """

    tf: T
    torch: T

    def __getitem__(self, side: Framework) -> T:
        return self.tf if side is Framework.TF else self.torch

    def __iter__(self) -> Iterator[T]:
        yield self.tf
        yield self.torch

    def toward(self, to: Framework) -> tuple[T, T]:
        """The source's and the target's, where `to` is the target."""
        return self[to.other], self[to]


@dataclass(frozen=True)
class Both(TwoSided[T]):
    """A value for each side.

    Example:
        >>> Both("conv2d/kernel", "conv.weight").toward(Framework.TF)
        ('conv.weight', 'conv2d/kernel')
    """

    tf: T
    torch: T

    def map(self, function: Callable[[T], U]) -> Both[U]:
        """The results of a function of each."""
        return Both(function(self.tf), function(self.torch))

    @staticmethod
    def of(make: Callable[[Framework], U]) -> Both[U]:
        """The results of a function of each side."""
        return Both(make(Framework.TF), make(Framework.TORCH))
