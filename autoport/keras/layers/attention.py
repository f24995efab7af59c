"""Attention without projections; `MultiHeadAttention` is descended into."""

from __future__ import annotations

from typing import Any

from autoport.keras.calls import Layer
from autoport.keras.table import layer_rule


@layer_rule("Attention AdditiveAttention")
def attention(call: Layer) -> Any:
    """Dot-product attention without projections: `[query, value, key]`."""
    tensors = call.inputs()
    query, value = tensors[0], tensors[1]
    key = tensors[2] if len(tensors) > 2 else value
    weights = call.weights(scale=(getattr(call.layer, "scale", None), ""))
    return call.emit("keras_attention", [query, key, value], weights=weights, score=type(call.layer).__name__)
