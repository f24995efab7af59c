"""Layers that move values without computing."""

from __future__ import annotations

from typing import Any

from autoport.graph import Value
from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule


@layer_rule("Reshape RepeatVector")
def reshape(call: Layer) -> Any:
    """A change of shape that keeps the order of elements."""
    kind = "reshape" if type(call.layer).__name__ == "Reshape" else "expand"
    return call.x if call.out == call.input_shape else call.emit(kind)


@layer_rule("Flatten")
def flatten(call: Layer) -> Any:
    """`Flatten`; with channels first it moves the channels to the end before it flattens."""
    shape = call.input_shape
    if call.out == shape:
        return call.x
    x = call.x
    if getattr(call.layer, "data_format", None) == "channels_first" and len(shape) > 2:
        order = (0, *range(2, len(shape)), 1)
        x = call.build.emit("transpose", [x], tuple(shape[dim] for dim in order), order=order)
    return call.build.emit("reshape", [x], call.out)


@layer_rule("Permute")
def permute(call: Layer) -> Any:
    """`Permute(dims)`: dimensions count from 1, the batch stays."""
    return call.emit("transpose", order=(0, *(int(dim) for dim in call.layer.dims)))


@layer_rule(
    "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout "
    "AlphaDropout ActivityRegularization InputLayer Identity"
)
def same(call: Layer) -> Value:
    """Nothing at inference."""
    return call.x
