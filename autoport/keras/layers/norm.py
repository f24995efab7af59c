"""Normalisations. Momentum becomes PyTorch's: the share of the new batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule


def _dims(call: Layer, axis: Any) -> list[int]:
    rank = len(call.input_shape)
    return sorted(int(a) % rank for a in np.ravel(axis))


def _names(dims: list[int]) -> str:
    return "c" if len(dims) == 1 else " ".join(f"c{k}" for k in range(len(dims)))


@layer_rule("BatchNormalization")
def batch_norm(call: Layer) -> Any:
    """`BatchNormalization`; a layer without `scale` or `center` lacks the weight, for which a constant stands."""
    layer = call.layer
    dims = _dims(call, layer.axis)
    weights = call.weights(
        scale=(layer.gamma, _names(dims)),
        offset=(layer.beta, _names(dims)),
        mean=(layer.moving_mean, _names(dims)),
        variance=(layer.moving_variance, _names(dims)),
    )
    momentum = round(1 - float(layer.momentum), 12)
    return call.build.norm("batch_norm", call.x, weights, dims=dims, epsilon=float(layer.epsilon), momentum=momentum)


@layer_rule("LayerNormalization")
def layer_norm(call: Layer) -> Any:
    """`LayerNormalization`, over any axes; with `rms_scaling` it is an RMS norm."""
    layer = call.layer
    dims = _dims(call, layer.axis)
    weights = call.weights(scale=(layer.gamma, _names(dims)), offset=(layer.beta, _names(dims)))
    kind = "rms_norm" if getattr(layer, "rms_scaling", False) else "layer_norm"
    return call.build.norm(kind, call.x, weights, dims=dims, epsilon=float(layer.epsilon))


@layer_rule("RMSNormalization")
def rms_norm(call: Layer) -> Any:
    """`RMSNormalization`."""
    dims = _dims(call, call.layer.axis)
    weights = call.weights(scale=(call.layer.scale, _names(dims)))
    return call.build.norm("rms_norm", call.x, weights, dims=dims, epsilon=float(call.layer.epsilon))


@layer_rule("GroupNormalization")
def group_norm(call: Layer) -> Any:
    """`GroupNormalization`; `groups=-1` stands for one channel a group."""
    layer = call.layer
    dims = _dims(call, layer.axis)
    weights = call.weights(scale=(layer.gamma, _names(dims)), offset=(layer.beta, _names(dims)))
    groups = int(layer.groups) if layer.groups != -1 else call.input_shape[dims[0]]
    return call.build.norm("group_norm", call.x, weights, dims=dims, epsilon=float(layer.epsilon), groups=groups)
