"""Pointwise kinds as numpy functions: a second witness where two models spell a function differently.

Everything is a float64: true is 1, and any number but 0 is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autoport.graph.vocabulary.kind import NOTHING
from autoport.graph.vocabulary.registry import kind_of

Floats: TypeAlias = NDArray[np.float64]
NumpyFunction = Callable[..., Any]

# SELU's scale and slope (Klambauer et al., arXiv:1706.02515).
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

_erf: NumpyFunction = np.vectorize(math.erf, otypes=[np.float64])
_erfc: NumpyFunction = np.vectorize(math.erfc, otypes=[np.float64])


def _sigmoid(x: Floats) -> Any:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Floats, beta: float, threshold: float) -> Any:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def _gelu(x: Floats, approximate: str) -> Any:
    if approximate == "tanh":
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return x * _erfc(-x / math.sqrt(2)) / 2


def _elu(x: Floats, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(x))


def _celu(x: Floats, alpha: float) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(x / alpha))


def _round(x: Floats, decimals: int) -> Any:
    return np.round(x * 10.0**decimals) / 10.0**decimals


def _bits(x: Floats, type: str) -> Any:
    return x.astype(f"f{np.dtype(type).itemsize}").view(type)


def _replace_infinite(x: Floats, nan: float, posinf: float, neginf: float) -> Any:
    return np.where(np.isnan(x), nan, np.where(x == np.inf, posinf, np.where(x == -np.inf, neginf, x)))


def _remainder(x: Floats, y: Floats) -> Any:
    return x - np.floor(x / y) * y


def _on_integers(function: NumpyFunction) -> NumpyFunction:
    return lambda *operands: function(*(operand.astype(np.int64) for operand in operands))


def _on_truth(function: NumpyFunction) -> NumpyFunction:
    return lambda *operands: function(*(operand != 0 for operand in operands))


# The function of a kind, and the attributes that it takes behind the operands.
FUNCTIONS: Mapping[str, tuple[NumpyFunction, tuple[str, ...]]] = {
    "abs": (np.abs, ()),
    "acos": (np.arccos, ()),
    "acosh": (np.arccosh, ()),
    "add": (lambda *operands: sum(operands), ()),
    "and": (_on_truth(np.logical_and), ()),
    "angle": (np.angle, ()),
    "asin": (np.arcsin, ()),
    "asinh": (np.arcsinh, ()),
    "atan": (np.arctan, ()),
    "atan2": (np.arctan2, ()),
    "atanh": (np.arctanh, ()),
    "bitcast": (_bits, ("type",)),
    "bitwise_and": (_on_integers(np.bitwise_and), ()),
    "bitwise_or": (_on_integers(np.bitwise_or), ()),
    "bitwise_xor": (_on_integers(np.bitwise_xor), ()),
    "ceil": (np.ceil, ()),
    "celu": (_celu, ("alpha",)),
    "clamp": (np.clip, ("low", "high")),
    "cos": (np.cos, ()),
    "cosh": (np.cosh, ()),
    "deg2rad": (np.deg2rad, ()),
    "div": (np.divide, ()),
    "div_no_nan": (lambda x, y: np.where(y == 0, 0, x / y), ()),
    "elu": (_elu, ("alpha",)),
    "eq": (np.equal, ()),
    "erf": (_erf, ()),
    "erfc": (_erfc, ()),
    "exp": (np.exp, ()),
    "exp2": (np.exp2, ()),
    "expm1": (np.expm1, ()),
    "floor": (np.floor, ()),
    "floor_divide": (lambda x, y: np.floor(x / y), ()),
    "fmod": (np.fmod, ()),
    "ge": (np.greater_equal, ()),
    "gelu": (_gelu, ("approximate",)),
    "gt": (np.greater, ()),
    "hard_shrink": (lambda x, limit: np.where(np.abs(x) > limit, x, 0), ("threshold",)),
    "hard_sigmoid": (lambda x: np.clip(x + 3, 0, 6) / 6, ()),
    "hard_sigmoid_keras2": (lambda x: np.clip(0.2 * x + 0.5, 0, 1), ()),
    "hard_swish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, ()),
    "hypot": (np.hypot, ()),
    "i0": (np.i0, ()),
    "isfinite": (np.isfinite, ()),
    "isinf": (np.isinf, ()),
    "isnan": (np.isnan, ()),
    "isneginf": (np.isneginf, ()),
    "isposinf": (np.isposinf, ()),
    "le": (np.less_equal, ()),
    "leaky_relu": (lambda x, slope: np.where(x > 0, x, slope * x), ("negative_slope",)),
    "log": (np.log, ()),
    "log10": (np.log10, ()),
    "log1p": (np.log1p, ()),
    "log2": (np.log2, ()),
    "log_sigmoid": (lambda x: -np.logaddexp(0, -x), ()),
    "lt": (np.less, ()),
    "maximum": (np.maximum, ()),
    "minimum": (np.minimum, ()),
    "mish": (lambda x: x * np.tanh(np.logaddexp(0, x)), ()),
    "mul": (lambda *operands: math.prod(operands), ()),
    "nan_to_num": (_replace_infinite, ("nan", "posinf", "neginf")),
    "ne": (np.not_equal, ()),
    "neg": (np.negative, ()),
    "not": (_on_truth(np.logical_not), ()),
    "or": (_on_truth(np.logical_or), ()),
    "pow": (np.power, ()),
    "rad2deg": (np.rad2deg, ()),
    "reciprocal": (lambda x: 1 / x, ()),
    "relu": (lambda x: np.maximum(x, 0), ()),
    "relu6": (lambda x: np.clip(x, 0, 6), ()),
    "remainder": (_remainder, ()),
    "round": (_round, ("decimals",)),
    "rsqrt": (lambda x: 1 / np.sqrt(x), ()),
    "selu": (lambda x: SELU_SCALE * _elu(x, SELU_ALPHA), ()),
    "sigmoid": (_sigmoid, ()),
    "sign": (np.sign, ()),
    "signbit": (np.signbit, ()),
    "silu": (lambda x: x * _sigmoid(x), ()),
    "sin": (np.sin, ()),
    "sinc": (np.sinc, ()),
    "sinh": (np.sinh, ()),
    "soft_shrink": (lambda x, limit: np.sign(x) * np.maximum(np.abs(x) - limit, 0), ("threshold",)),
    "softplus": (_softplus, ("beta", "threshold")),
    "softsign": (lambda x: x / (1 + np.abs(x)), ()),
    "sparse_plus": (lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)), ()),
    "sparse_sigmoid": (lambda x: np.clip((x + 1) / 2, 0, 1), ()),
    "sqrt": (np.sqrt, ()),
    "square": (np.square, ()),
    "squared_difference": (lambda x, y: (x - y) ** 2, ()),
    "squareplus": (lambda x: (x + np.sqrt(x**2 + 4)) / 2, ()),
    "sub": (np.subtract, ()),
    "tan": (np.tan, ()),
    "tanh": (np.tanh, ()),
    "tanh_shrink": (lambda x: x - np.tanh(x), ()),
    "threshold": (lambda x, limit, value: np.where(x > limit, x, value), ("threshold", "value")),
    "trunc": (np.trunc, ()),
    "where": (lambda condition, x, y: np.where(condition != 0, x, y), ()),
    "xor": (_on_truth(np.logical_xor), ()),
}


def compute(kind: str, attrs: Mapping[str, Any], operands: list[Floats]) -> Floats | None:
    """Computes an operation element by element; None if the vocabulary has no function for it.

    Args:
        kind: the operation.
        attrs: its hyper-parameters; a `constant` is one more operand.
        operands: arrays of one shape.

    Example:
        >>> compute("add", {"constant": 2.0, "constant_first": False}, [np.asarray([1.0, 3.0])])
        array([3., 5.])
    """
    function, names = FUNCTIONS.get(kind, (None, ()))
    values = [attrs.get(name, kind_of(kind).attribute(name).default) for name in names]
    if function is None or None in values or NOTHING in values or attrs.get("factor", 1) != 1:
        return None
    if "constant" in attrs:
        number = np.full_like(operands[0], attrs["constant"])
        operands = [number, *operands] if attrs.get("constant_first") else [*operands, number]
    with np.errstate(all="ignore"):
        try:
            return np.asarray(function(*operands, *values), np.float64)
        except TypeError:  # it has another number of operands than the function
            return None
