"""Preprocessing inside a Keras model: it has no counterpart in PyTorch, and the report says so."""

from __future__ import annotations

from typing import Any

from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule


@layer_rule("Rescaling")
def rescaling(call: Layer) -> Any:
    """`x * scale + offset`."""
    return call.emit("preprocessing", detail=f"x * {call.layer.scale} + {call.layer.offset}")


@layer_rule("Normalization")
def normalization(call: Layer) -> Any:
    """`(x - mean) / sqrt(variance)` with statistics of the training set."""
    for variable in call.layer.weights:
        path = str(call.path_of(variable))
        call.build.graph.ignored[path] = "statistics of the Normalization inside the Keras model (preprocessing)"
    return call.emit("preprocessing", detail="(x - mean) / sqrt(variance)")
