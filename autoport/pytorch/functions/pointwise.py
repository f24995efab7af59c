"""Activations and arithmetic: one row a function, no weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autoport.graph import Value
from autoport.pytorch.calls import Call
from autoport.pytorch.table import register

# torch name -> (vocabulary name, {parameter: default}); the parameters follow the input in order.
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "silu": ("silu", {}),
    "hardswish": ("hard_swish", {}),
    "hardsigmoid": ("hard_sigmoid", {}),
    "softplus": ("softplus", {"beta": 1, "threshold": 20}),
    "softsign": ("softsign", {}),
    "selu": ("selu", {}),
    "mish": ("mish", {}),
    "logsigmoid": ("log_sigmoid", {}),
    "elu": ("elu", {"alpha": 1.0}),
    "celu": ("celu", {"alpha": 1.0}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.01}),
    "gelu": ("gelu", {"approximate": "none"}),
    "exp": ("exp", {}),
    "log": ("log", {}),
    "sqrt": ("sqrt", {}),
    "rsqrt": ("rsqrt", {}),
    "abs": ("abs", {}),
    "neg": ("neg", {}),
    "erf": ("erf", {}),
    "erfc": ("erfc", {}),
    "square": ("square", {}),
    "reciprocal": ("reciprocal", {}),
    "invert": ("not", {}),
    "logical_not": ("not", {}),
    "sin": ("sin", {}),
    "cos": ("cos", {}),
    "absolute": ("abs", {}),
    "arccos": ("acos", {}),
    "arccosh": ("acosh", {}),
    "arcsin": ("asin", {}),
    "arcsinh": ("asinh", {}),
    "arctan": ("atan", {}),
    "arctanh": ("atanh", {}),
    "fix": ("trunc", {}),
    "negative": ("neg", {}),
    "round": ("round", {"decimals": 0}),
    "special_i0": ("i0", {}),
    "tanhshrink": ("tanh_shrink", {}),
    "threshold": ("threshold", {"threshold": 0.0, "value": 0.0}),
}

BINARY = {
    "add": "add",
    "iadd": "add",
    "radd": "add",
    "sub": "sub",
    "isub": "sub",
    "subtract": "sub",
    "mul": "mul",
    "imul": "mul",
    "rmul": "mul",
    "multiply": "mul",
    "div": "div",
    "itruediv": "div",
    "truediv": "div",
    "divide": "div",
    "true_divide": "div",
    "maximum": "maximum",
    "minimum": "minimum",
    "pow": "pow",
    "eq": "eq",
    "ne": "ne",
    "gt": "gt",
    "ge": "ge",
    "lt": "lt",
    "le": "le",
    "and": "and",
    "logical_and": "and",
    "or": "or",
    "logical_or": "or",
    "arctan2": "atan2",
    "atan2": "atan2",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "floor_divide": "floor_divide",
    "floordiv": "floor_divide",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "mod": "remainder",
    "nextafter": "nextafter",
    "not_equal": "ne",
    "remainder": "remainder",
}
REFLECTED = {"rsub": "sub", "rtruediv": "div", "rdiv": "div", "rpow": "pow"}


@register(" ".join(ACTIVATIONS), "input argument_1 argument_2")
def activation(call: Call) -> Any:
    """An elementwise function of one tensor, with its parameters."""
    kind, defaults = ACTIVATIONS[call.name]
    positional = [call.get("argument_1"), call.get("argument_2")]
    attrs = {}
    for place, (name, default) in zip(positional, defaults.items(), strict=False):
        attrs[name] = call.get(name, default if place is None else place)
    return call.emit(kind, [call.value("input")], **attrs)


@register("conj real resolve_conj", "input")
def real_part(call: Call) -> Any:
    """The same values, if they are real."""
    return call.get("input") if call.is_real else call.emit(call.name)


@register("glu", "input dim")
def glu(call: Call) -> Any:
    """A gated linear unit: the first half times the sigmoid of the second."""
    x, dim = call.value("input"), call.get("dim", -1) % len(call.out)
    first, second = call.build.split(x, dim, [call.out, call.out])
    return call.emit("mul", [first, call.build.emit("sigmoid", [second], call.out)])


@register("softmax log_softmax", "input dim")
def softmax(call: Call) -> Any:
    """Softmax along one dimension; the default depends on the rank."""
    rank = len(call.out)
    return call.emit(call.name, [call.value("input")], dims=(call.get("dim", 0 if rank in (0, 1, 3) else 1) % rank,))


@register("hardtanh clamp clip clamp_min clamp_max", "input low high")
def clamp(call: Call) -> Any:
    """Clipping; between 0 and 6 it is ReLU6, from 0 on it is ReLU."""
    default = (-1.0, 1.0) if call.name == "hardtanh" else (None, None)
    low = call.get("low", call.get("min", call.get("min_val", default[0])))
    high = call.get("high", call.get("max", call.get("max_val", default[1])))
    if any(_is_tensor(call, bound) for bound in (low, high)):
        return _clamp_by_tensors(call, low, high)
    x = [call.value("input")]
    kind = {(0, 6): "relu6", (0, None): "relu"}.get((low, high))
    if kind:
        return call.emit(kind, x)
    if low is None or high is None:
        kind, bound = ("maximum", low) if high is None else ("minimum", high)
        return call.emit(kind, x, constant=float(bound), constant_first=False)
    return call.emit("clamp", x, low=float(low), high=float(high))


def _clamp_by_tensors(call: Call, low: Any, high: Any) -> Value:
    y = call.value("input")
    for kind, bound in (("maximum", low), ("minimum", high)):
        if _is_tensor(call, bound):
            y = call.build.emit(kind, [y, call.lowering.data(bound)], call.out)
        elif bound is not None:
            y = call.build.emit(kind, [y], call.out, constant=float(bound), constant_first=False)
    return y


@register(" ".join(BINARY), "input other")
def binary(call: Call) -> Any:
    """Arithmetic of two tensors, or of a tensor and a number."""
    return _arithmetic(call, BINARY[call.name], call.get("input"), call.get("other"))


@register(" ".join(REFLECTED), "input other")
def reflected(call: Call) -> Any:
    """Arithmetic with the operands the other way round."""
    return _arithmetic(call, REFLECTED[call.name], call.get("other"), call.get("input"))


def _arithmetic(call: Call, kind: str, left: Any, right: Any) -> Any:
    scale = call.get("alpha", 1)
    operands = [left, right]
    numbers = [_number(call, x) for x in operands]
    # Of two numbers one becomes the constant and the other stays an operand; the emitter computes the result.
    places = sorted((k for k, n in enumerate(numbers) if n is not None), key=lambda k: _is_tensor(call, operands[k]))
    attrs: dict[str, Any] = {}
    if places:
        attrs = {"constant": numbers[places[0]], "constant_first": places[0] == 0}
        del operands[places[0]]
    if scale != 1:
        attrs["factor"] = scale
    return call.emit(kind, [call.lowering.data(x) for x in operands if _is_tensor(call, x)], **attrs)


def _number(call: Call, x: Any) -> float | None:
    """A number, also one that is held in a tensor."""
    if isinstance(x, Value):
        return call.build.number(x)
    return float(x) if isinstance(x, (int, float)) and not isinstance(x, bool) else None


def _is_tensor(call: Call, x: Any) -> bool:
    return isinstance(x, Value) or hasattr(x, "path")


@register("hardshrink softshrink", "input lambd")
def shrink(call: Call) -> Any:
    """Zero near to zero."""
    kind = {"hardshrink": "hard_shrink", "softshrink": "soft_shrink"}[call.name]
    return call.emit(kind, [call.value("input")], threshold=float(call.get("lambd", 0.5)))


@register("nan_to_num", "input nan posinf neginf")
def nan_to_num(call: Call) -> Any:
    """Numbers in place of NaN and infinities: given ones, or 0 and the largest of the type."""
    limits = torch.finfo(call.result.dtype)
    attrs = {
        "nan": call.get("nan", 0.0),
        "posinf": call.get("posinf", limits.max),
        "neginf": call.get("neginf", limits.min),
    }
    return call.emit("nan_to_num", [call.value("input")], **{name: float(value) for name, value in attrs.items()})


@register("where", "condition input other")
def where(call: Call) -> Any:
    """A choice between two tensors or numbers; a condition alone gives the places where it holds."""
    if len(call.arguments) == 1:
        return call.emit("nonzero")
    chosen = (call.get(name) for name in ("input", "other"))
    values = [call.lowering.data(x) if _is_tensor(call, x) else call.build.constant(np.asarray(x), ()) for x in chosen]
    return call.emit("where", [call.value("condition"), *values])


@register("masked_fill", "input mask value")
def masked_fill(call: Call) -> Any:
    """A number where a mask is true."""
    return call.emit("masked_fill")


@register("dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout", "input p training")
def dropout(call: Call) -> Any:
    """The same values, unless it is active in evaluation, too."""
    active = call.get("training", False) and call.get("p", 0.5) > 0
    return call.emit("dropout", [call.value("input")]) if active else call.get("input")


@register(
    "to type float double half bfloat16 long int bool contiguous clone detach type_as "
    "get_data requires_grad alias identity lift_fresh",
    "input",
)
def same(call: Call) -> Any:
    """Changes of type or memory: the same values."""
    return call.get("input")
