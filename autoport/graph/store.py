"""Where stored tensors are read from and written to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from autoport.weights.algebra import Array


class Store(Protocol):
    """Where tensors are read from or written to."""

    def read(self, path: str) -> Array:
        """A stored tensor."""

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Overwrites a stored tensor with its pieces, one behind the other."""

    def holds(self, path: str) -> bool:
        """Whether a stored tensor has values."""
