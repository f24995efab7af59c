"""The variables of a Keras model as a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autoport.internals.keras import resource_variable
from autoport.weights.algebra import Array, enumerate_slabs, leading


class KerasStore:
    """The variables of a Keras model."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def read(self, path: str) -> Array:
        """A variable as an array that shares its memory where TensorFlow allows; from its file if not filled yet."""
        holder = self._holder(path)
        if _is_waiting(holder):
            values: Array = holder.waiting()
            return values
        stored = holder.read_value()
        try:
            return np.asarray(memoryview(stored))  # np.asarray of the tensor itself would copy
        except (TypeError, ValueError, BufferError):  # on a GPU, or of a type that has no buffer
            return np.asarray(stored)

    def write(self, path: str, pieces: Iterable[Array]) -> None:
        """Assigns a variable range by range: assigning all at once would hold its values twice."""
        holder = self._holder(path)
        shape = tuple(holder.shape)
        in_memory = isinstance(holder, resource_variable()) and "CPU" in holder.device  # not on several devices, say
        if not shape or not in_memory:
            first, *others = pieces
            self._variables[path].assign(np.concatenate([first, *others], leading(shape)) if others else first)
            return
        for index, piece in enumerate_slabs(shape, pieces):
            _assign_range(holder, index, piece)

    def _holder(self, path: str) -> Any:
        """The variable of TensorFlow."""
        variable = self._variables[path]
        return variable if hasattr(variable, "read_value") else variable.value

    def handle(self, path: str) -> Any:
        """What a graph that reads a variable captures."""
        return self._holder(path).handle

    def holds(self, path: str) -> bool:
        """Whether there is such a variable; every variable has values, or a file has them."""
        return path in self._variables


def _is_waiting(holder: Any) -> bool:
    """Whether the values of a variable of TensorFlow are still in a file."""
    return getattr(holder, "waiting", None) is not None and not holder.is_initialized()


def _assign_range(holder: Any, index: tuple[slice, ...], piece: Array) -> None:
    """Assigns a part of a variable of TensorFlow, in its own memory."""
    import tensorflow as tf

    if _is_waiting(holder):
        holder.assign(holder.waiting())
    places = [place.indices(size) for place, size in zip(index, holder.shape, strict=False)]
    begin, end, strides = zip(*places, strict=True)
    values = tf.cast(piece, holder.dtype)
    tf.raw_ops.ResourceStridedSliceAssign(ref=holder.handle, begin=begin, end=end, strides=strides, value=values)
