"""Activations, as layers and as the `activation=` argument of other layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.graph import Value
from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule

# Keras activation function -> (vocabulary name, attributes).
FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "hard_silu": ("hard_swish", {}),
    "hard_swish": ("hard_swish", {}),
    "hard_sigmoid": ("hard_sigmoid", {}),
    "gelu": ("gelu", {"approximate": "none"}),
    "elu": ("elu", {"alpha": 1.0}),
    "celu": ("celu", {"alpha": 1.0}),
    "selu": ("selu", {}),
    "mish": ("mish", {}),
    "softplus": ("softplus", {"beta": 1, "threshold": 20}),
    "softsign": ("softsign", {}),
    "log_sigmoid": ("log_sigmoid", {}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "softmax": ("softmax", {}),
    "log_softmax": ("log_softmax", {}),
    "exponential": ("exp", {}),
}


def activation_kind(function: Any, old_keras: bool = False) -> tuple[str, dict[str, Any]] | None:
    """Vocabulary name and attributes of an activation function; None for `linear`.

    tf_keras' `hard_sigmoid` is clip(0.2 x + 0.5), another function than Keras 3's relu6(x + 3) / 6.
    """
    if function is None or function.__name__ == "linear":
        return None
    name = str(function.__name__)
    if old_keras and name == "hard_sigmoid":
        return "hard_sigmoid_keras2", {}
    return FUNCTIONS.get(name, (name, {}))


def with_activation(call: Layer, y: Value, function: Any = None) -> Value:
    """Appends the activation that the layer's `activation` argument names."""
    activation_function = call.layer.activation if function is None else function
    old = type(call.layer).__module__.startswith("tf_keras")
    kind_and_attrs = activation_kind(activation_function, old)
    if kind_and_attrs is None:
        return y
    kind, attrs = kind_and_attrs
    shape = call.build.graph.shape(y)
    if kind in ("softmax", "log_softmax"):
        attrs = {"dims": (len(shape) - 1,)}
    return call.build.emit(kind, [y], shape, **attrs)


@layer_rule("Activation")
def activation(call: Layer) -> Any:
    """`Activation("relu")`."""
    return with_activation(call, call.x)


@layer_rule("ReLU")
def relu(call: Layer) -> Any:
    """`ReLU(max_value, negative_slope, threshold)`."""
    layer = call.layer
    slope, threshold = float(layer.negative_slope), float(layer.threshold)
    limit = layer.max_value
    if threshold or (slope and limit is not None):
        return call.emit("relu_general", limit=limit, negative_slope=slope, threshold=threshold)
    if slope:
        return call.emit("leaky_relu", negative_slope=slope)
    if limit is None:
        return call.emit("relu")
    return call.emit("relu6") if float(limit) == 6.0 else call.emit("clamp", low=0.0, high=float(limit))


@layer_rule("LeakyReLU")
def leaky_relu(call: Layer) -> Any:
    """`LeakyReLU`; its slope is called `alpha` in Keras 2."""
    name = "negative_slope" if hasattr(call.layer, "negative_slope") else "alpha"
    return call.emit("leaky_relu", negative_slope=float(getattr(call.layer, name)))


@layer_rule("ELU")
def elu(call: Layer) -> Any:
    """`ELU(alpha)`."""
    return call.emit("elu", alpha=float(call.layer.alpha))


@layer_rule("Softmax")
def softmax(call: Layer) -> Any:
    """`Softmax(axis)`; a mask selects the scores that take part."""
    dims = tuple(sorted(int(axis) % len(call.out) for axis in np.ravel(call.layer.axis)))
    masked = [
        call.build.emit("where", [mask, call.x, call.build.constant(None, ())], call.out)
        for mask in call.inputs("mask")
    ]
    return call.emit("softmax", masked or None, dims=dims)


@layer_rule("PReLU")
def prelu(call: Layer) -> Any:
    """`PReLU`: an axis whose positions share a slope has size 1 in the weight."""
    alpha = call.layer.alpha
    dims = [dim for dim, size in enumerate(alpha.shape, 1) if size != 1]
    names = iter(["c"] if len(dims) <= 1 else [f"c{k}" for k in range(len(dims))])
    pattern = " ".join("1" if size == 1 else next(names) for size in alpha.shape)
    return call.build.norm("prelu", call.x, call.weights(slope=(alpha, pattern)), dims=dims)
