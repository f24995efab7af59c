"""Functions that operations of a TensorFlow graph run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from autoport.internals.keras import function_body, library_function
from autoport.keras.trace import BRANCHES

# Operations that run a function.
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def called_body(
    op: Any, shape_of: Callable[[Any], tuple[int, ...]], static_value: Callable[[Any], Any]
) -> tuple[Any, list[Any]] | None:
    """The graph of the function that an operation certainly runs, and its arguments; None if it runs none.

    Args:
        op: the operation.
        shape_of: shape of a tensor; -1 for an open size.
        static_value: a constant as an array; None for anything else.
    """
    name, arguments = _function_and_arguments(op, static_value)
    function = library_function(op.graph, name) if name else None
    if function is None:
        return None
    shapes = [None if t.dtype == tf.resource else shape_of(t) for t in arguments]
    if -1 in {size for shape in shapes for size in shape or ()}:
        return function.graph, arguments
    with op.graph.as_default():
        return function_body(
            function, [None if shape is None else tf.TensorShape(shape) for shape in shapes]
        ), arguments


def _function_and_arguments(op: Any, static_value: Callable[[Any], Any]) -> tuple[str, list[Any]]:
    """Name and arguments of a function that an operation certainly runs; no name if there is none."""
    if op.type in CALLS:
        return op.get_attr("f").name, list(op.inputs)
    condition, *arguments = op.inputs if op.type in BRANCHES else [None]
    value = None if condition is None else static_value(condition)
    return ("" if value is None else op.get_attr("then_branch" if value else "else_branch").name), arguments
