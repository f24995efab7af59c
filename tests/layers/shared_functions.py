"""Every public function that Keras and PyTorch share by name, and every way of calling both alike."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from tests.layers.shared_calls import CALLS, NOT_ALONE, PARAMETERS, UNCALLED, Step

Arrays = Sequence[np.ndarray]

# Shapes without the batch, in the order in which they are tried: rows of features, and square matrices.
SHAPES = ((7, 5), (5, 5))


@dataclass(frozen=True)
class Case:
    """Two functions on the same tensors.

    Attributes:
        label: the arguments beside the tensors, for people.
        keras: computes on tensors of TensorFlow.
        torch: computes on tensors of PyTorch.
        count: how many tensors both take.
        shape: of each of them, without the batch.
    """

    label: str
    keras: Step
    torch: Step
    count: int
    shape: tuple[int, ...]


def shared_names() -> list[str]:
    """Names of public functions that both have."""
    modules = keras.ops, keras.activations
    names = {name for module in modules for name in dir(module) if _is_function(getattr(module, name))}
    return sorted(name for name in names if not name.startswith("_") and _torch(name) is not None)


def _is_function(value: Any) -> bool:
    return callable(value) and not inspect.isclass(value)


def _keras(name: str) -> Step:
    return getattr(keras.ops, name, None) or getattr(keras.activations, name)


def _torch(name: str) -> Step | None:
    return next((getattr(home, name) for home in (F, torch, torch.Tensor) if hasattr(home, name)), None)


def cases(name: str) -> Iterator[Case]:
    """The ways in which both functions of a name can be called alike."""
    if name in UNCALLED:
        return
    keras_function, torch_function = _keras(name), _torch(name)
    parameters = inspect.signature(keras_function).parameters
    alone: list[tuple[dict[str, Any], dict[str, Any]]] = [] if name in NOT_ALONE else [({}, {})]
    options = [*alone, *(option for parameter in parameters for option in PARAMETERS.get(parameter, ()))]
    for ours, theirs in options:
        case = _fitting(f"{ours} {theirs}", _with(keras_function, ours), _with(torch_function, theirs))
        if case is not None and can_be_traced(case):
            yield case
    for number, (make, remake) in enumerate(CALLS.get(name, ())):
        case = _fitting(f"call {number}", make(keras_function), remake(torch_function))
        if case is None:
            raise AssertionError(f"{name}: call {number} of the table fails")
        yield case


def _with(function: Any, keywords: dict[str, Any]) -> Step:
    return lambda *tensors: function(*tensors, **keywords)


def _fitting(label: str, ours: Step, theirs: Step) -> Case | None:
    """The case with the first number and shape of tensors that both functions take."""
    for count in (1, 2, 3):
        for shape in SHAPES:
            case = Case(label, ours, theirs, count, shape)
            try:
                results = results_of(case, draw(case, 1.0, 0))
            except Exception:  # of whatever type: the function does not take this
                continue
            if results is not None:
                return case
    return None


def draw(case: Case, scale: float, seed: int) -> Arrays:
    """Tensors of float64, of which some elements are whole multiples of half the scale, zero among them."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(0.0, scale, (2, *case.shape)) for _ in range(case.count)]
    for array in arrays:
        rounded = rng.random(array.shape) < 0.2
        array[rounded] = np.round(2 * array[rounded] / scale) / 2 * scale
    return arrays


def first_of(result: Any) -> Any:
    """The first tensor of what a function returned."""
    while isinstance(result, (list, tuple)):
        result = result[0]
    return result


def results_of(case: Case, arrays: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
    """What both compute; None if one of them gives no tensor."""
    ours = first_of(case.keras(*map(tf.constant, arrays)))
    theirs = first_of(case.torch(*(torch.from_numpy(array.copy()) for array in arrays)))
    if not isinstance(ours, tf.Tensor) or not isinstance(theirs, torch.Tensor):
        return None
    return np.asarray(ours), theirs.numpy()


def _results_if_defined(case: Case, arrays: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        return results_of(case, arrays)
    except Exception:  # of whatever type: a matrix without an inverse, for example
        return None


def are_equal(case: Case) -> bool:
    """Whether both functions give equal numbers, also very near to zero and far away from it.

    Both frameworks write some of their constants down as float32: 1e-6 is what such numbers may differ by.
    """
    for seed, scale in enumerate((1e-9, 0.3, 1.0, 3.0, 40.0, 1000.0)):
        arrays = draw(case, scale, seed)
        for chosen in (arrays, [np.abs(array) for array in arrays]):
            results = _results_if_defined(case, chosen)
            near = 1e-9 * min(scale, 1.0)
            if results is not None and not _close(*results, near):
                return False
    return True


def _close(ours: np.ndarray, theirs: np.ndarray, near: float) -> bool:
    return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-6, atol=near, equal_nan=True)


def can_be_traced(case: Case) -> bool:
    """Whether Keras' function works on symbolic tensors, too, and says what it returns."""
    specs = [tf.TensorSpec((2, *case.shape), tf.float64) for _ in range(case.count)]
    try:
        function = tf.function(case.keras, autograph=False).get_concrete_function(*specs)
    except Exception:  # of whatever type TensorFlow has for it
        return False
    return first_of(function.structured_outputs).shape.rank is not None
