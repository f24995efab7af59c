"""How functions are called that Keras and PyTorch share by name, and which are not, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import torch

Step = Callable[..., Any]
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

# Without arguments of their own these compute nothing of their input, or return as much as its values say.
NOT_ALONE = {"ones_like", "where", "zeros_like"}
OTHER_MEANING = "the same name for another function, or for other arguments"
NO_TENSOR = "computes no tensor of numbers from tensors"
BY_VALUES = "how much it returns depends on the values"
COMPLEX = "of complex numbers"
GONE = "PyTorch has the name only to say that it is gone"
UNTRACED = "Keras' function needs values, or types, that a graph does not have"
UNDEFINED = "what it returns is not defined, or is unique but for signs"
UNCALLED = {
    **dict.fromkeys(("cond", "ctc_loss", "fft", "fold", "istft", "linear", "scatter", "select", "stft"), OTHER_MEANING),
    **dict.fromkeys(("unfold", "unravel_index", "view", "while_loop"), OTHER_MEANING),
    **dict.fromkeys(("allclose", "dtype", "equal", "is_tensor", "ndim", "shape", "size"), NO_TENSOR),
    **dict.fromkeys(("bincount", "histogram", "nonzero", "unique"), BY_VALUES),
    **dict.fromkeys(("imag", "view_as_complex", "view_as_real"), COMPLEX),
    **dict.fromkeys(("lstsq", "matrix_rank", "solve"), GONE),
    **dict.fromkeys(("corrcoef", "exp2", "inner", "isin", "kron", "nanmedian", "nanquantile"), UNTRACED),
    **dict.fromkeys(("eig", "empty", "empty_like", "svd"), UNDEFINED),
}
# Keras writes these as loops, which are not compared with what PyTorch has one operation for.
LOOPS = {"gcd", "lcm"}
# What these do to the order of features is not followed, so weights beside them are refused.
NOT_FOLLOWED = {
    *("cholesky", "cholesky_inverse", "cross", "det", "diag", "diagflat", "diagonal", "eye", "qr", "searchsorted"),
    *("slogdet", "tile"),
}
