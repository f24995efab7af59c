"""Keras models without memory for their weights: variables whose values stay in a file until a model is run.

Such a variable has a handle that graphs capture, and nothing behind it: TensorFlow raises where it would be read.
"""

from __future__ import annotations

import itertools
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import tensorflow as tf

from autoport.base.whole_files import write_whole
from autoport.internals.keras import inner_variables, rename_handle, scratch_graph, uninitialized_variable

UninitializedVariable: Any = uninitialized_variable()
logger = logging.getLogger(__name__)
Model = TypeVar("Model")
# Bytes up to which a variable gets values at once: layers may read small ones while they are built.
SMALL = 2**16
# Arguments of a variable that one without values takes, too.
KEPT = ("trainable", "name", "constraint", "synchronization", "aggregation")
_numbers = itertools.count()


class Unfilled(UninitializedVariable):
    """A variable without values.

    Attributes:
        initial: computes its initial values.
        waiting: reads its values from a file; None as long as no file is known to have them.
    """

    initial: Any
    waiting: Callable[[], Any] | None = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        _name_handle(self)


def _name_handle(variable: Any) -> None:
    """Gives a handle a name, so that reading it raises; a handle without a name reads as an empty tensor."""
    name = f"autoport-{next(_numbers)}"
    handle = rename_handle(variable, name)
    weakref.finalize(handle, _forget, name, variable.dtype, variable.shape).atexit = False


def _forget(name: str, dtype: Any, shape: Any) -> None:
    handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=name)
    tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)


def without_values(load: Callable[[], Model]) -> Model:
    """Loads a model whose variables stay without values where a file has them.

    Args:
        load: builds the model and sets `waiting` of the variables that a file has; called again, with
            ordinary variables, if the model cannot be built without values.
    """
    unfilled: list[Unfilled] = []
    try:
        with _collecting(unfilled):
            model = load()
    except Exception as error:
        logger.info("the model is built with values, because it cannot be built without: %s", error)
        return load()
    fill(variable for variable in unfilled if variable.waiting is None)
    return model


@contextmanager
def _collecting(unfilled: list[Unfilled]) -> Iterator[None]:
    """While it lasts, large variables are made without values, and appended to a list."""
    shapes = scratch_graph()

    def create(create_ordinary: Callable[..., Any], **arguments: Any) -> Any:
        initial = arguments.get("initial_value")
        spec = _spec(initial, shapes) if callable(initial) else None
        if spec is None or spec.shape.num_elements() * spec.dtype.size <= SMALL:
            return create_ordinary(**arguments)
        variable = Unfilled(
            shape=spec.shape, dtype=spec.dtype, **{key: arguments[key] for key in KEPT if key in arguments}
        )
        variable.initial = initial
        unfilled.append(variable)
        return variable

    with tf.variable_creator_scope(create):
        yield


def _spec(initial: Callable[[], Any], graph: Any) -> Any:
    """Shape and type of what an initialiser computes, without computing it; None if it cannot be traced."""
    try:
        with graph.as_default():
            tensor = initial()
    except Exception as error:  # a user's initialiser may do anything
        logger.debug("an initialiser cannot be traced: %s", error)
        return None
    static = tf.is_symbolic_tensor(tensor) and tensor.shape.is_fully_defined()
    return tf.TensorSpec(tensor.shape, tensor.dtype) if static else None


def unfilled_variable(variable: Any) -> Unfilled | None:
    """The TensorFlow variable of a variable of either Keras, if it has no values yet."""
    holders = (holder for holder in (variable, *inner_variables(variable)) if isinstance(holder, Unfilled))
    return next((holder for holder in holders if not holder.is_initialized()), None)


def fill(variables: Iterable[Any]) -> None:
    """Gives variables their values; to be called before a model runs.

    Args:
        variables: of any kind; those that have values keep them.
    """
    for variable in variables:
        holder = unfilled_variable(variable)
        if holder is not None:
            holder.assign((holder.waiting or holder.initial)())


def save_model(model: Any, path: Path) -> None:
    """Saves a model by its own `save`: the complete file, or none.

    Raises:
        SaveError: the file cannot be written; an old one stays as it was.
    """
    fill(model.variables)
    write_whole(path, model.save, path.suffix)
