"""Every public function that Keras and PyTorch share by name, and every way of calling both alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

Arrays = Sequence[np.ndarray]
Step = Callable[..., Any]
# Shapes without the batch, in the order in which they are tried: rows of features, and square matrices.
SHAPES = ((7, 5), (5, 5))
# What both take for a parameter that Keras has: keyword arguments of Keras, and those of PyTorch.
PARAMETERS: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "axis": [
        ({"axis": -1}, {"dim": -1}),
        ({"axis": 1}, {"dim": 1}),
        ({"axis": (1, 2)}, {"dim": (1, 2)}),
        ({"axis": (-1,)}, {"dims": (-1,)}),
        ({"axis": (1, 2)}, {"dims": (1, 2)}),
    ],
    "keepdims": [({"axis": -1, "keepdims": True}, {"dim": -1, "keepdim": True})],
    "alpha": [({"alpha": 0.7}, {"alpha": 0.7}), ({"alpha": 1.5}, {"alpha": 1.5})],
    "negative_slope": [({"negative_slope": slope}, {"negative_slope": slope}) for slope in (0.01, 0.2, 0.3)],
    "approximate": [
        ({"approximate": True}, {"approximate": "tanh"}),
        ({"approximate": False}, {"approximate": "none"}),
        ({"approximate": False}, {"approximate": "tanh"}),
    ],
    "decimals": [({"decimals": places}, {"decimals": places}) for places in (1, 3)],
    "nan": [({"nan": 0.5}, {"nan": 0.5})],
    "order": [({"order": order, "epsilon": 1e-12}, {"p": order}) for order in (1, 2, 3)],
    "ord": [({"ord": order, "axis": -1}, {"p": order, "dim": -1}) for order in (1, 2)],
    "offset": [({"offset": 1}, {"offset": 1})],
    "k": [({"k": k}, {"diagonal": k}) for k in (1, -1)]
    + [({"k": k, "axes": (1, 2)}, {"k": k, "dims": (1, 2)}) for k in (1, 2)],
    "n": [({"n": 2}, {"n": 2})],
}


def _same(function_of: Callable[[Step], Step]) -> tuple[Callable[[Step], Step], Callable[[Step], Step]]:
    return function_of, function_of


def whole(x: Any) -> Any:
    """Whole numbers of either framework."""
    return x.long() if isinstance(x, torch.Tensor) else tf.cast(x, tf.int64)


def definite(x: Any) -> Any:
    """Symmetric matrices that are positive definite."""
    turned = x.transpose(1, 2) if isinstance(x, torch.Tensor) else tf.transpose(x, (0, 2, 1))
    return x @ turned + numbers(np.eye(7) * 0.1)(x)


def numbers(values: Any) -> Callable[[Any], Any]:
    """Makes the same tensor of the framework that another one is of."""
    return lambda x: torch.as_tensor(values) if isinstance(x, torch.Tensor) else tf.constant(values)


# How to call what takes more than tensors: how the step is made of Keras' function, and how of PyTorch's.
CALLS: dict[str, list[tuple[Callable[[Step], Step], Callable[[Step], Step]]]] = {
    **{
        name: [_same(lambda f: lambda x, y: f(whole(x), whole(y)))]
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")
    },
    **{name: [_same(lambda f: lambda x: f(whole(x), 2))] for name in ("bitwise_left_shift", "bitwise_right_shift")},
    **{name: [_same(lambda f: lambda x, y: f(x[0, 0], y[0, 0]))] for name in ("dot", "outer", "vdot")},
    "arange": [_same(lambda f: lambda x: x * f(1.0, 6.0, dtype=x.dtype))],
    "bitwise_not": [_same(lambda f: lambda x: f(whole(x)))],
    "cholesky": [_same(lambda f: lambda x: f(definite(x)))],
    "corrcoef": [_same(lambda f: lambda x: f(x[0]))],
    "cross": [_same(lambda f: lambda x, y: f(x[:, :, :3], y[:, :, :3]))],
    "diag": [_same(lambda f: lambda x: f(x[0])), _same(lambda f: lambda x: f(x[0, 0]))],
    "dsplit": [_same(lambda f: lambda x: f(x, [2]))],
    "eye": [_same(lambda f: lambda x: x @ f(5, dtype=x.dtype))],
    "full": [_same(lambda f: lambda x: x * f((5,), 0.3, dtype=x.dtype))],
    "glu": [
        (lambda f: lambda x: f(x[:, :, :4], axis=-1), lambda f: lambda x: f(x[:, :, :4], dim=-1)),
        (lambda f: lambda x: f(x[:, :4], axis=1), lambda f: lambda x: f(x[:, :4], dim=1)),
    ],
    "hsplit": [_same(lambda f: lambda x: f(x, [3]))],
    "inner": [_same(lambda f: lambda x, y: f(x[0, 0], y[0, 0]))],
    "kron": [_same(lambda f: lambda x, y: f(x[0], y[0]))],
    "linspace": [_same(lambda f: lambda x: x * f(0.0, 1.0, 5, dtype=x.dtype))],
    "logspace": [_same(lambda f: lambda x: x * f(0.0, 1.0, 5, dtype=x.dtype))],
    "meshgrid": [
        _same(lambda f: lambda x, y: f(x[0, 0], y[0, :, 0], indexing="ij")),
        _same(lambda f: lambda x, y: f(x[0, 0], y[0, :, 0])),
    ],
    "one_hot": [_same(lambda f: lambda x: f(whole(x * 0) + 1, 3))],
    "ones": [_same(lambda f: lambda x: x + f((5,), dtype=x.dtype))],
    "searchsorted": [_same(lambda f: lambda x: f(numbers(np.asarray([-1.0, 0.0, 0.5, 2.0]))(x), x[0, 0]))],
    "trace": [_same(lambda f: lambda x: f(x[0]))],
    "vander": [_same(lambda f: lambda x: f(x[0, 0]))],
    "vsplit": [_same(lambda f: lambda x: f(x, [1]))],
    "zeros": [_same(lambda f: lambda x: x + f((5,), dtype=x.dtype))],
    "broadcast_to": [_same(lambda f: lambda x: f(x[:, :, :1], (2, 7, 5)))],
    "clip": [_same(lambda f, b=b: lambda x: f(x, *b)) for b in ((-0.5, 0.8), (0.0, 6.0), (0.0, 1.0))],
    "concatenate": [_same(lambda f: lambda x, y: f([x, y], -1)), _same(lambda f: lambda x, y: f([x, y], 1))],
    "cumprod": [(lambda f: lambda x: f(x, axis=1), lambda f: lambda x: f(x, dim=1))],
    "dstack": [_same(lambda f: lambda x, y: f([x, y]))],
    "einsum": [_same(lambda f: lambda x, y: f("bij,bkj->bik", x, y))],
    "flip": [(lambda f, a=a: lambda x: f(x, axis=a), lambda f, a=a: lambda x: f(x, dims=(a,))) for a in (1, 2)],
    "full_like": [_same(lambda f: lambda x: x + f(x, 0.3))],
    "hstack": [_same(lambda f: lambda x, y: f([x, y]))],
    "ldexp": [_same(lambda f: lambda x, y: f(x, whole(y)))],
    "moveaxis": [_same(lambda f: lambda x: f(x, 1, 2))],
    "ones_like": [_same(lambda f: lambda x: x + f(x))],
    "pad": [(lambda f: lambda x: f(x, ((0, 0), (0, 0), (1, 2))), lambda f: lambda x: f(x, (1, 2)))],
    "quantile": [(lambda f: lambda x: f(x, 0.3, axis=-1), lambda f: lambda x: f(x, 0.3, dim=-1))],
    "nanquantile": [(lambda f: lambda x: f(x, 0.3, axis=-1), lambda f: lambda x: f(x, 0.3, dim=-1))],
    "repeat": [
        (lambda f: lambda x: f(x, 2, axis=-1), lambda f: lambda x: f(x, 1, 1, 2)),
        (lambda f: lambda x: f(x, 2, axis=1), lambda f: lambda x: x.repeat_interleave(2, 1)),
    ],
    "reshape": [_same(lambda f: lambda x: f(x, (-1, 35)))],
    "roll": [
        (lambda f, a=a, k=k: lambda x: f(x, k, axis=a), lambda f, a=a, k=k: lambda x: f(x, k, dims=a))
        for a, k in ((1, 2), (2, 1), (2, -1))
    ],
    "softmax": [(lambda f: lambda x: f(x, axis=a), lambda f: lambda x: f(x, dim=a)) for a in (-1, 1)],
    "split": [(lambda f: lambda x: f(x, [2], axis=-1), lambda f: lambda x: f(x, [2, 3], dim=-1))],
    "squeeze": [_same(lambda f: lambda x: f(x[:, :1], 1))],
    "stack": [_same(lambda f: lambda x, y: f([x, y], 1)), _same(lambda f: lambda x, y: f([x, y], -1))],
    "swapaxes": [_same(lambda f: lambda x: f(x, 1, 2))],
    "take": [_same(lambda f: lambda x: f(x, numbers([3, 0, 60])(x)))],
    "tensordot": [
        (lambda f: lambda x: f(x, x, axes=[[1, 2], [1, 2]]), lambda f: lambda x: f(x, x, dims=[[1, 2], [1, 2]]))
    ],
    "threshold": [_same(lambda f, b=b: lambda x: f(x, *b)) for b in ((0.3, -2.0), (0.0, 0.0))],
    "tile": [_same(lambda f: lambda x: f(x, (1, 1, 2)))],
    "transpose": [(lambda f: lambda x: f(x, (0, 2, 1)), lambda f: lambda x: f(x, 1, 2))],
    "vstack": [_same(lambda f: lambda x, y: f([x, y]))],
    "where": [_same(lambda f: lambda x, y: f(x > 0.1, x, y)), _same(lambda f: lambda x, y: f(x > y, x, x * 0.5))],
    "zeros_like": [_same(lambda f: lambda x: x + f(x))],
}


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
    keras_function, torch_function = _keras(name), _torch(name)
    parameters = inspect.signature(keras_function).parameters
    options = [({}, {}), *(option for parameter in parameters for option in PARAMETERS.get(parameter, ()))]
    for ours, theirs in options:
        case = _fitting(f"{ours} {theirs}", _with(keras_function, ours), _with(torch_function, theirs))
        if case is not None:
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
    for seed, scale in enumerate((1e-9, 0.3, 1.0, 1.0, 3.0, 10.0, 40.0, 1000.0)):
        arrays = draw(case, scale, seed)
        for chosen in (arrays, [np.abs(array) for array in arrays]):
            found = _results_if_defined(case, chosen)
            if found is None:
                continue
            near = 1e-9 * min(scale, 1.0)
            if found[0].shape != found[1].shape or not np.allclose(*found, rtol=1e-6, atol=near, equal_nan=True):
                return False
    return True


def can_be_traced(case: Case) -> bool:
    """Whether Keras' function works on symbolic tensors, too, and says what it returns."""
    specs = [tf.TensorSpec((2, *case.shape), tf.float64) for _ in range(case.count)]
    try:
        function = tf.function(case.keras, autograph=False).get_concrete_function(*specs)
    except Exception:  # of whatever type TensorFlow has for it
        return False
    return first_of(function.structured_outputs).shape.rank is not None
