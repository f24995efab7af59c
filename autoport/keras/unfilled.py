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
Made = TypeVar("Made")
# Bytes up to which a variable is made as ever: layers may read small ones while they are built.
SMALL = 2**16
KEPT = ("trainable", "name", "constraint", "synchronization", "aggregation")
_numbers = itertools.count()


class Unfilled(UninitializedVariable):
    """A variable without values.

    Attributes:
        initial: what would have been its values.
        waiting: gives the values that it stands for; None as long as no file has them.
    """

    initial: Any
    waiting: Callable[[], Any] | None = None

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        _name_handle(self)


def _name_handle(variable: Any) -> None:
    """Lets reading raise where nothing is behind a handle; behind one without a name is an empty tensor."""
    name = f"autoport-{next(_numbers)}"
    handle = rename_handle(variable, name)
    weakref.finalize(handle, _forget, name, variable.dtype, variable.shape).atexit = False


def _forget(name: str, dtype: Any, shape: Any) -> None:
    handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=name)
    tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)


def without_values(load: Callable[[], Made]) -> Made:
    """Loads a model whose variables stay without values where a file has them.

    Args:
        load: builds the model and calls `wait` for the variables that a file has; called again, and given
            variables as ever, if the model cannot be built without values.
    """
    made: list[Unfilled] = []
    try:
        with _creating(made):
            model = load()
    except Exception as error:
        logger.info("the model is built with values, because without: %s", error)
        return load()
    fill(variable for variable in made if variable.waiting is None)
    return model


@contextmanager
def _creating(made: list[Unfilled]) -> Iterator[None]:
    shapes = scratch_graph()

    def create(following: Callable[..., Any], **given: Any) -> Any:
        initial = given.get("initial_value")
        spec = _spec(initial, shapes) if callable(initial) else None
        if spec is None or spec.shape.num_elements() * spec.dtype.size <= SMALL:
            return following(**given)
        variable = Unfilled(shape=spec.shape, dtype=spec.dtype, **{key: given[key] for key in KEPT if key in given})
        variable.initial = initial
        made.append(variable)
        return variable

    with tf.variable_creator_scope(create):
        yield


def _spec(initial: Callable[[], Any], graph: Any) -> Any:
    """Shape and type of what an initialiser makes, found without making it; None if that cannot be."""
    try:
        with graph.as_default():
            found = initial()
    except Exception as error:  # a user's initialiser may do anything
        logger.debug("an initialiser cannot be traced: %s", error)
        return None
    known = tf.is_symbolic_tensor(found) and found.shape.is_fully_defined()
    return tf.TensorSpec(found.shape, found.dtype) if known else None


def unfilled(variable: Any) -> Unfilled | None:
    """The variable behind one of either Keras if it has no values yet."""
    holders = (holder for holder in (variable, *inner_variables(variable)) if isinstance(holder, Unfilled))
    return next((holder for holder in holders if not holder.is_initialized()), None)


def fill(variables: Iterable[Any]) -> None:
    """Gives variables their values: what runs a model calls this before.

    Args:
        variables: any; those that have values keep them.
    """
    for variable in variables:
        found = unfilled(variable)
        if found is not None:
            found.assign((found.waiting or found.initial)())


def save_model(model: Any, path: Path) -> None:
    """Saves a model whole, by its own `save`.

    Raises:
        SaveError: the file cannot be written; an old one is as it was.
    """
    fill(model.variables)
    write_whole(path, model.save, path.suffix)
