"""Raw arithmetic and activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.keras.calls import RawOp
from autoport.keras.table import op_rule

ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Selu": "selu",
    "Softsign": "softsign",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Abs": "abs",
    "Neg": "neg",
    "Erf": "erf",
    "Erfc": "erfc",
    "Square": "square",
    "Reciprocal": "reciprocal",
    "LogicalNot": "not",
    "IsFinite": "isfinite",
    "IsInf": "isinf",
    "IsNan": "isnan",
    "Sin": "sin",
    "Cos": "cos",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "BesselI0": "i0",
    "Ceil": "ceil",
    "Cosh": "cosh",
    "Digamma": "digamma",
    "Erfinv": "erfinv",
    "Expm1": "expm1",
    "Floor": "floor",
    "Inv": "reciprocal",
    "Invert": "bitwise_not",
    "Lgamma": "lgamma",
    "Log1p": "log1p",
    "Sign": "sign",
    "Sinh": "sinh",
    "Tan": "tan",
}
# Functions with parameters in PyTorch, at the values that TensorFlow fixes.
WITH_PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Elu": ("elu", {"alpha": 1.0}),
    "Rint": ("round", {"decimals": 0}),
    "Round": ("round", {"decimals": 0}),
    "Softplus": ("softplus", {"beta": 1, "threshold": 20}),
}
BINARY = {
    "Add": "add",
    "AddV2": "add",
    "BiasAdd": "add",
    "Sub": "sub",
    "Mul": "mul",
    "RealDiv": "div",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Pow": "pow",
    "FloorDiv": "floor_divide",
    "SquaredDifference": "squared_difference",
    "Equal": "eq",
    "NotEqual": "ne",
    "Greater": "gt",
    "GreaterEqual": "ge",
    "Less": "lt",
    "LessEqual": "le",
    "LogicalAnd": "and",
    "LogicalOr": "or",
    "Atan2": "atan2",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "FloorMod": "remainder",
    "LeftShift": "left_shift",
    "DivNoNan": "div_no_nan",
    "Complex": "complex",
    "NextAfter": "nextafter",
    "RightShift": "right_shift",
    "TruncateMod": "fmod",
}


@op_rule(" ".join(ACTIVATIONS))
def activation(raw: RawOp) -> Any:
    """An elementwise function of one tensor."""
    return raw.emit(ACTIVATIONS[raw.op.type])


@op_rule(" ".join(WITH_PARAMETERS))
def with_parameters(raw: RawOp) -> Any:
    """An elementwise function whose parameters PyTorch lets one choose."""
    kind, attrs = WITH_PARAMETERS[raw.op.type]
    return raw.emit(kind, **attrs)


@op_rule("Bitcast")
def bitcast(raw: RawOp) -> Any:
    """The same bits as another type."""
    return raw.emit("bitcast", type=raw.op.get_attr("type").name)


SOFTMAX = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}


@op_rule(" ".join(SOFTMAX))
def softmax(raw: RawOp) -> Any:
    """Softmax along the last dimension."""
    return raw.emit(SOFTMAX[raw.op.type], dims=(len(raw.out) - 1,))


@op_rule("LeakyRelu")
def leaky_relu(raw: RawOp) -> Any:
    """`tf.nn.leaky_relu`."""
    return raw.emit("leaky_relu", negative_slope=float(raw.op.get_attr("alpha")))


# Kinds that are an activation if one operand is zero.
RECTIFIED = {"Maximum": "relu"}


@op_rule(" ".join(BINARY))
def binary(raw: RawOp) -> Any:
    """Arithmetic of two tensors, or of a tensor and a number."""
    kind = BINARY[raw.op.type]
    constants = [raw.constant(k) for k in (0, 1)]
    for k, array in enumerate(constants):
        if array is not None and _changes_nothing(kind, k, array) and raw.out == raw.build.graph.shape(raw.data(1 - k)):
            return raw.source(1 - k)
    numbers = [k for k, array in enumerate(constants) if array is not None and np.size(array) == 1]
    if len(numbers) != 1:
        return raw.emit(kind)
    place = numbers[0]
    value = float(np.ravel(constants[place])[0])
    if value == 0 and raw.op.type in RECTIFIED:
        return raw.emit(RECTIFIED[raw.op.type], [1 - place])
    return raw.emit(kind, [1 - place], constant=value, constant_first=place == 0)


def _changes_nothing(kind: str, place: int, array: Any) -> bool:
    """x + 0, x - 0, x * 1, x / 1"""
    neutral = {"add": 0, "mul": 1} | ({"sub": 0, "div": 1} if place == 1 else {})
    return kind in neutral and array.dtype.kind in "fiu" and bool(np.all(array == neutral[kind]))


@op_rule("IdentityN")
def same_each(raw: RawOp) -> Any:
    """The same values, tensor by tensor; functions with gradients of their own end in it."""
    return [raw.source(k) for k in range(len(raw.op.outputs))]


@op_rule("AddN")
def add_n(raw: RawOp) -> Any:
    """A sum of several tensors."""
    return raw.emit("add")


@op_rule("Identity StopGradient Cast PreventGradient CheckNumerics EnsureShape ReadVariableOp")
def same(raw: RawOp) -> Any:
    """Changes of type: the same values."""
    return raw.source(0)
