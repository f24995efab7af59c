"""Reads and writes stored tensors: what a model or a file of weights must offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, Protocol

from autoport.weights.algebra import Array


class Store(Protocol):
    """A model or a file, as a store of tensors."""

    def read(self, path: str) -> Array:
        """A stored tensor."""

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Overwrites a stored tensor with consecutive ranges of its elements."""

    def holds(self, path: str) -> bool:
        """Whether a stored tensor has values."""


class NoStore:
    """The store of a graph without a model."""

    def read(self, path: str) -> NoReturn:
        """Raises: no model stands behind the graph."""
        raise LookupError(f"no model stands behind the graph, so that {path} has no values")

    def write(self, path: str, pieces: Iterable[Array]) -> NoReturn:
        """Raises: no model stands behind the graph."""
        raise LookupError(f"no model stands behind the graph, so that {path} cannot be written")

    def holds(self, path: str) -> bool:
        """No tensor has values."""
        return False
