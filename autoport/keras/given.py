"""Inputs that a user hands over: as plain arrays, and in the form in which a Keras model was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from autoport.errors import InputError
from autoport.internals.keras import structured_inputs

# Kinds of numpy types of numbers.
NUMBERS = "biufc"


def plain_inputs(inputs: Any) -> Any:
    """Inputs of any framework as numpy arrays, in the same structure; optional inputs that are None are left out.

    Args:
        inputs: array, tensor of either framework, number, or a list, tuple or mapping of such.

    Raises:
        InputError: something among them is no array.
    """
    return _plain(inputs, "inputs")


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part, f"{name}[{key!r}]") for key, part in value.items() if part is not None}
    if isinstance(value, (list, tuple)) and not _is_of_numbers(value):
        parts = [_plain(part, f"{name}[{place}]") for place, part in enumerate(value)]
        return type(value)(parts) if type(value) in (list, tuple) else type(value)(*parts)  # a named tuple
    return _array(value, name)


def _is_of_numbers(value: Sequence[Any]) -> bool:
    """Whether a list holds nothing but Python's numbers, in equally long rows: it is an array that is written out."""
    leaves = tf.nest.flatten(value)
    if not leaves or not all(isinstance(leaf, (bool, int, float)) for leaf in leaves):
        return False
    try:
        return np.asarray(value).dtype.kind in NUMBERS
    except ValueError:  # rows of other lengths
        return False


def _array(value: Any, name: str) -> Any:
    detach = getattr(value, "detach", None)  # a PyTorch tensor
    try:
        array = np.asarray(value if detach is None else detach().cpu())
    except Exception as failure:  # every framework raises its own
        raise InputError(f"{name}: {type(value).__name__} cannot be read as an array: {failure}") from failure
    if array.dtype.kind not in NUMBERS:
        raise InputError(f"{name}: an array of numbers is expected, not {type(value).__name__} of {array.dtype}")
    return array if array.flags.writeable else array.copy()


def conform(given: Any, example: Any, model: Any) -> list[Any]:
    """The arrays among the inputs that a user hands over, in the order, shapes and types that a model was read on.

    Args:
        given: what `plain_inputs` takes, in the structure of the example. A single array will also do for a model with
            one input, and a dict by the names of the inputs, or a list, for a functional model.
        example: what the model was read on.
        model: the Keras model, which may know names of its inputs.

    Raises:
        InputError: one is missing or too many, or has another shape or type; the message names it.
    """
    names, given = input_names(model), plain_inputs(given)
    leaves, parts = tf.nest.flatten(example), tf.nest.flatten(given)
    named = len(names) == len(leaves)
    if isinstance(given, Mapping) and not isinstance(example, Mapping) and named and len(leaves) > 1:
        _check_keys(given, names, "inputs")
        given = tf.nest.pack_sequence_as(example, [given[name] for name in names])
    elif type(given) is not type(example) and len(parts) == len(leaves) and (named or len(leaves) == 1):
        given = tf.nest.pack_sequence_as(example, parts)
    labels = [f"input {name!r}" for name in names] if named else None
    triples = enumerate(_aligned(given, example, "inputs"))
    return [_fit(part, leaf, labels[place] if labels else path) for place, (path, part, leaf) in triples]


def input_names(model: Any) -> list[str]:
    """Names of the inputs of a functional model, in order; none for any other."""
    structure = structured_inputs(model)
    if isinstance(structure, Mapping):
        return sorted(map(str, structure))
    return [str(tensor.name) for tensor in tf.nest.flatten(structure) if tensor is not None]


def _aligned(given: Any, example: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every array of an example with its path, and what was given in its place."""
    if isinstance(example, Mapping):
        if not isinstance(given, Mapping):
            raise InputError(f"{path}: a dict with the keys {_listed(example)} is expected, not {_what(given)}")
        _check_keys(given, example, path)
        for key in sorted(example):
            yield from _aligned(given[key], example[key], f"{path}[{key!r}]")
    elif isinstance(example, (list, tuple)):
        if not isinstance(given, (list, tuple)) or len(given) != len(example):
            raise InputError(f"{path}: a list of {len(example)} arrays is expected, not {_what(given)}")
        for place, (part, wanted) in enumerate(zip(given, example, strict=True)):
            yield from _aligned(part, wanted, f"{path}[{place}]")
    elif isinstance(given, (Mapping, list, tuple)):
        raise InputError(f"{path}: one array is expected, not {_what(given)}")
    else:
        yield path, given, np.asarray(example)


def _check_keys(given: Mapping[Any, Any], expected: Iterable[Any], path: str) -> None:
    missing = [key for key in expected if key not in given]
    unknown = [key for key in given if key not in expected]
    if missing or unknown:
        parts = [f"{_listed(missing)} is missing"] * bool(missing) + [f"{_listed(unknown)} is unknown"] * bool(unknown)
        raise InputError(f"{path}: {', '.join(parts)}; the models were matched on {_listed(expected)}")


def _fit(array: Any, example: Any, name: str) -> Any:
    """An array in the type of an example, if it has its shape and no value is lost; floats keep their precision."""
    if array.shape != example.shape:
        raise InputError(f"{name}: shape {example.shape} is expected, as the models were matched on, not {array.shape}")
    if example.dtype.kind == "f":
        array = array if array.dtype.kind == "f" else array.astype(example.dtype)
    elif array.dtype != example.dtype:
        cast = array.astype(example.dtype)
        if not np.array_equal(cast, array):
            raise InputError(f"{name}: values of type {example.dtype} are expected, not of {array.dtype}")
        array = cast
    return array


def _listed(keys: Iterable[Any]) -> str:
    return ", ".join(map(repr, keys))


def _what(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a dict with {_listed(given)}"
    return f"a list of {len(given)}" if isinstance(given, (list, tuple)) else f"one array of shape {given.shape}"
