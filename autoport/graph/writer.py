"""Writes functions that one framework has as one operation out as the other framework writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.graph.build import Builder
from autoport.graph.op import Shape, Value

ValueOrNumber = Value | float


class Writer:
    """Appends one operation after another, of tensors and numbers."""

    def __init__(self, build: Builder) -> None:
        self._build = build

    def shape(self, x: Value) -> Shape:
        """Shape of a value."""
        return self._build.graph.shape(x)

    def apply(self, kind: str, *operands: ValueOrNumber) -> Value:
        """A pointwise operation; one of its operands may be a number, for `where` several."""
        if kind == "where":
            operands = tuple(x if isinstance(x, Value) else self._build.constant(np.asarray(x), ()) for x in operands)
        values = [x for x in operands if isinstance(x, Value)]
        numbers = [(place, x) for place, x in enumerate(operands) if not isinstance(x, Value)]
        attrs: dict[str, Any] = (
            {"constant": float(numbers[0][1]), "constant_first": numbers[0][0] == 0} if numbers else {}
        )
        return self._build.emit(kind, values, np.broadcast_shapes(*map(self.shape, values)), **attrs)

    def reduce(self, kind: str, x: Value, dims: tuple[int, ...], keep: bool = False) -> Value:
        """A reduction along dimensions."""
        sizes = enumerate(self.shape(x))
        shape = tuple(1 if dim in dims else size for dim, size in sizes if keep or dim not in dims)
        return self._build.emit(kind, [x], shape, dims=dims)

    def slice(self, x: Value, dim: int, start: int, stop: int) -> Value:
        """A range along a dimension."""
        shape = self.shape(x)
        return self._build.slice(x, {dim: (start, stop, 1)}, (*shape[:dim], stop - start, *shape[dim + 1 :]))
