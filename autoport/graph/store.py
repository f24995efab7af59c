"""Where stored tensors are read from and written to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, Protocol

from autoport.weights.algebra import Array


class Store(Protocol):
    """Where tensors are read from or written to."""

    def read(self, path: str) -> Array:
        """A stored tensor."""

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Overwrites a stored tensor with its pieces, one behind the other."""

    def holds(self, path: str) -> bool:
        """Whether a stored tensor has values."""


class NoStore:
    """Stands for the tensors of a graph that no model was read for."""

    def read(self, path: str) -> NoReturn:
        """There is nothing to read."""
        raise LookupError(f"no model stands behind the graph, so that {path} has no values")

    def write(self, path: str, pieces: Iterable[Array]) -> NoReturn:
        """There is nothing to write to."""
        raise LookupError(f"no model stands behind the graph, so that {path} cannot be written")

    def holds(self, path: str) -> bool:
        """No tensor has values."""
        return False
